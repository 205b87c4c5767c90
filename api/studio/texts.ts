// Every text of the page, English and Chinese side by side.

const CATALOGUE = {
  title: ["Studio", "画室"],
  skip: ["To the map", "跳到标签图"],
  model: ["Model", "模型"],
  untrained: ["untrained", "未训练"],
  file: ["File", "文件"],
  new: ["New map…", "新建…"],
  open: ["Open…", "打开…"],
  examples: ["Examples", "示例"],
  saveMap: ["Save label map", "保存标签图"],
  saveProject: ["Save project", "保存项目"],
  savePicture: ["Save picture", "保存图片"],
  clear: ["Clear everything", "全部清除"],
  flip: ["Flip left and right", "左右翻转"],
  undo: ["Undo", "撤销"],
  redo: ["Redo", "重做"],
  help: ["Shortcuts", "快捷键"],
  close: ["Close", "关闭"],
  cancel: ["Cancel", "取消"],
  tools: ["Tools", "工具"],
  brush: ["Brush", "画笔"],
  pencil: ["Pencil, one pixel", "铅笔，一个像素"],
  line: ["Line", "直线"],
  rectangle: ["Rectangle", "矩形"],
  ellipse: ["Ellipse", "椭圆"],
  polygon: ["Polygon", "多边形"],
  fill: ["Fill", "填充"],
  swap: ["Swap a material everywhere", "全部替换材质"],
  eraser: ["Eraser", "橡皮"],
  pick: ["Eyedropper", "吸管"],
  select: ["Select and move", "选择并移动"],
  hand: ["Move the view", "移动视图"],
  size: ["Size", "大小"],
  round: ["Round", "圆形"],
  square: ["Square", "方形"],
  mirror: ["Mirror", "镜像"],
  copying: ["Leave a copy", "移动时复制"],
  finish: ["Close polygon", "闭合多边形"],
  layer: ["Layer", "图层"],
  background: ["Background", "背景"],
  objects: ["Objects", "物体"],
  showObjects: ["Show objects", "显示物体"],
  zoomIn: ["Zoom in", "放大"],
  zoomOut: ["Zoom out", "缩小"],
  zoomFit: ["Fit", "适应窗口"],
  materials: ["Materials", "材质"],
  search: ["Search materials", "搜索材质"],
  searchHint: ["Search", "搜索"],
  recent: ["Recent", "最近使用"],
  noMaterial: ["No such material", "没有这种材质"],
  unknown: ["unknown", "未知"],
  "group-sky": ["Sky", "天空"],
  "group-land": ["Land", "陆地"],
  "group-water": ["Water", "水"],
  "group-plants": ["Plants", "植物"],
  "group-buildings": ["Buildings", "建筑"],
  "group-traffic": ["Traffic", "交通"],
  "group-people": ["People", "人"],
  "group-things": ["Things", "物品"],
  "group-other": ["Other", "其他"],
  map: ["Label map", "标签图"],
  canvas: [
    "Label map. Arrow keys move the cursor, ten pixels with Shift. Space paints.",
    "标签图。方向键移动光标，按住 Shift 移动十个像素，空格键绘制。",
  ],
  cursorAt: ["{x}, {y}: {material}", "{x}，{y}：{material}"],
  picture: ["Picture", "图片"],
  pictureOf: ["Picture made of the label map, seed {seed}", "由标签图生成的图片，种子 {seed}"],
  noPicture: ["Paint, and the picture appears here.", "开始绘制，图片会显示在这里。"],
  generate: ["Generate", "生成"],
  live: ["Live", "实时"],
  style: ["Style", "风格"],
  bySeed: ["By seed", "由种子决定"],
  seed: ["Seed", "种子"],
  lock: ["Keep the seed", "锁定种子"],
  dice: ["Another seed", "换一个种子"],
  sending: ["Sending…", "正在发送…"],
  queued: ["In the queue", "排队中"],
  queuedBehind: ["In the queue behind {count}", "排队中，前面还有 {count} 个"],
  queuedLong: ["Still in the queue: perhaps no worker is running.", "仍在排队：可能没有正在运行的工作进程。"],
  running: ["Making the picture…", "正在生成图片…"],
  eta: ["about {seconds} s", "约 {seconds} 秒"],
  made: ["Made in {seconds} s", "用时 {seconds} 秒"],
  failed: ["It could not be made: {detail}", "无法生成：{detail}"],
  canceled: ["Canceled", "已取消"],
  retry: ["Trying again in {seconds} s.", "{seconds} 秒后重试。"],
  "no-answer": ["The service does not answer.", "服务没有响应。"],
  "queue-full": ["The queue is full.", "队列已满。"],
  "rate-limited": ["Too many requests in a short time.", "请求过于频繁。"],
  "queue-unavailable": ["The service's queue is away.", "服务的队列暂不可用。"],
  "storage-unavailable": ["The service's store is away.", "服务的存储暂不可用。"],
  "key-required": ["The service asks for an API key.", "服务需要 API 密钥。"],
  "scope-missing": ["This API key may not do that.", "此 API 密钥没有相应权限。"],
  "storage-quota-exceeded": [
    "The storage that this key may use is full. Pictures that are deleted make room.",
    "此密钥可用的存储空间已满。删除图片可释放空间。",
  ],
  answered: ["The service is away: HTTP {status}.", "服务暂不可用：HTTP {status}。"],
  busy: ["The service is busy.", "服务繁忙。"],
  keyTitle: ["API key", "API 密钥"],
  keyNeeded: ["This service asks for an API key. It stays in this tab.", "此服务需要 API 密钥。密钥只保存在此标签页中。"],
  keyWrong: ["A key has letters, digits and signs, and no space.", "密钥由字母、数字和符号组成，不含空格。"],
  keyUse: ["Use this key", "使用此密钥"],
  newTitle: ["New map", "新建标签图"],
  newFill: ["Filled with", "填充"],
  newCreate: ["Create", "创建"],
  opened: ["Opened {name}.", "已打开 {name}。"],
  openedColors: ["Opened {name} by its {palette} colours.", "已按 {palette} 颜色打开 {name}。"],
  lost: ["{count} pixels have a material that this model lacks; they are unknown now.", "{count} 个像素的材质不属于此模型，已变为未知。"],
  "not-png": ["{name} is no PNG. Label maps are PNG files.", "{name} 不是 PNG。标签图是 PNG 文件。"],
  damaged: ["{name} is damaged.", "{name} 已损坏。"],
  "too-large": ["{name} is too large: at most 2048 pixels a side.", "{name} 过大：每边最多 2048 像素。"],
  "ids-unknown": ["{name} has ids that this model lacks: {values}", "{name} 含有此模型没有的编号：{values}"],
  "colors-unknown": ["{name} has {count} colours that no palette knows: {values}", "{name} 含有 {count} 种未知颜色：{values}"],
  "example-away": ["{name} cannot be had now.", "暂时无法获取 {name}。"],
  "project-version": ["{name} is a project of another version of the studio.", "{name} 是其他版本画室的项目文件。"],
  "project-unknown": ["{name} is no project of the studio.", "{name} 不是画室的项目文件。"],
  "project-model": ["{name} is for the model {model}, which this service lacks.", "{name} 属于模型 {model}，此服务没有该模型。"],
  objectsUsedUp: ["There are 255 objects already, which is the most.", "物体已达上限 255 个。"],
  pasted: ["pasted picture", "粘贴的图片"],
  drop: ["Drop a label map or a project", "拖放标签图或项目文件"],
  "help-paint": ["Paint", "绘制"],
  "help-edit": ["Edit", "编辑"],
  "help-view": ["View and picture", "视图与图片"],
  helpDigits: ["Pick a shown material", "选择列表中的材质"],
  helpSize: ["Brush smaller, larger", "缩小、放大画笔"],
  helpExchange: ["Exchange the last two materials", "切换最近两种材质"],
  helpArrows: ["Move the cursor on the map (Shift: ten pixels)", "移动光标（Shift：十个像素）"],
  helpSpace: ["Paint at the cursor; hold to draw", "在光标处绘制；按住可连续绘制"],
  helpEnter: ["Put the pen down or up; close a polygon", "落笔或提笔；闭合多边形"],
  helpEscape: ["Give up what was begun", "放弃当前操作"],
  helpCopy: ["Copy, paste the selection", "复制、粘贴所选区域"],
  helpDelete: ["Erase the selection", "清除所选区域"],
  helpSelectAll: ["Select everything", "全选"],
} as const;

export type TextKey = keyof typeof CATALOGUE;

export const isChinese = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => /en|zh/.test(tag)) === "zh";

/** The text in the browser's language, `{name}` filled in from `values`. */
export function text(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  return CATALOGUE[key][isChinese ? 1 : 0].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

export function isTextKey(key: string): key is TextKey {
  return Object.hasOwn(CATALOGUE, key);
}

/** Puts texts where the page wants them: `data-text` as content, `data-label` as name and tooltip, `data-hint` into a field. */
export function translate(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = text(element.dataset["text"] as TextKey);
  }
  for (const element of root.querySelectorAll<HTMLInputElement>("[data-hint]")) {
    element.placeholder = text(element.dataset["hint"] as TextKey);
  }
  for (const element of root.querySelectorAll<HTMLElement>("[data-label]")) {
    const label = text(element.dataset["label"] as TextKey);
    element.setAttribute("aria-label", label);
    const keys = element.getAttribute("aria-keyshortcuts");
    if (element.matches("button, label, select, input")) element.title = keys ? `${label} (${keys})` : label;
  }
}
