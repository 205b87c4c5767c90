// What is known of materials by their names, whichever model has them: a group, and a name in Chinese.

import type { LabelClass } from "./service";
import { isChinese } from "./texts";

export const GROUPS = ["sky", "land", "water", "plants", "buildings", "traffic", "people", "things", "other"] as const;
export type Group = (typeof GROUPS)[number];

const BY_GROUP: Readonly<Record<Exclude<Group, "other">, string>> = {
  sky: "sky:天空,clouds:云,fog:雾",
  land:
    "mountain:山,hill:丘陵,sand:沙,rock:岩石,snow:雪,road:道路,dirt:泥土,mud:泥浆,gravel:砾石,stone:石头," +
    "pavement:人行道,ground:地面,railroad:铁轨,playingfield:运动场,platform:站台,solid:固体,desert:沙漠",
  water: "sea:海,river:河,water:水,waterdrops:水滴,lake:湖",
  plants: "grass:草,tree:树,bush:灌木,flower:花,leaves:树叶,straw:稻草,moss:苔藓,branch:树枝,plant:植物,vegetation:植被",
  buildings:
    "building:建筑,house:房屋,skyscraper:摩天楼,bridge:桥,roof:屋顶,fence:围栏,tent:帐篷,wall:墙,door:门,window:窗," +
    "floor:地板,ceiling:天花板,stairs:楼梯,railing:栏杆,cage:笼子,structural:结构",
  traffic:
    "car:汽车,bicycle:自行车,motorcycle:摩托车,airplane:飞机,bus:公共汽车,train:火车,truck:卡车,boat:船,pole:杆," +
    "sign:标志,sign symbol:交通标志,traffic:交通,traffic light:红绿灯,traffic sign:交通标志,stop:停车,stop sign:停车标志," +
    "street:街道,street sign:路牌,parking:停车场,parking meter:停车计时器,fire:消防,fire hydrant:消防栓",
  people: "person:人,pedestrian:行人,bicyclist:骑车人,rider:骑手",
  things:
    "bird:鸟,cat:猫,dog:狗,horse:马,sheep:羊,cow:牛,elephant:大象,bear:熊,zebra:斑马,giraffe:长颈鹿,bench:长椅," +
    "chair:椅子,couch:沙发,table:桌子,desk:书桌,bed:床,food:食物,fruit:水果,vegetable:蔬菜,furniture:家具,textile:织物",
};

const KNOWN = new Map<string, { readonly group: Group; readonly chinese: string }>();
for (const group of GROUPS) {
  if (group === "other") continue;
  for (const entry of BY_GROUP[group].split(",")) {
    const [name, chinese] = entry.split(":") as [string, string];
    KNOWN.set(name, { group, chinese });
  }
}

const firstWord = (name: string) => name.split(/[ -]/)[0]!;

export function groupOf({ name }: LabelClass): Group {
  return (KNOWN.get(name) ?? KNOWN.get(firstWord(name)))?.group ?? "other";
}

/** The name to show: the model's own, or, in a Chinese page, what it is called there if that is known. */
export function nameOf({ name }: LabelClass): string {
  const known = KNOWN.get(name.replace(/-other$/, ""));
  return isChinese && known ? known.chinese : name;
}
