"""What the published code calls things: its tensors, its options, its datasets, in terms of ours."""

import re
from collections.abc import Mapping
from typing import Any

from spade.config import GeneratorConfig, Norm, Upsampling
from spade.errors import ConfigError
from spade.pix2pixhd import Pix2PixHDConfig

OWN_NAMES = {
    "fc": "start",
    "head_0": "head",
    "G_middle_0": "middle_0",
    "G_middle_1": "middle_1",
    "conv_img": "to_image",
    "conv_s": "conv_skip",
    "norm_s": "norm_skip",
    "param_free_norm": "statistics",
    "mlp_shared.0": "shared",
    "mlp_gamma": "gamma",
    "mlp_beta": "beta",
    "weight_orig": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0._u",
    "weight_v": "parametrizations.weight.0._v",
}
"""Parts of published tensor names and what they are called here; parts that are not listed are the same."""

PUBLISHED_NAMES = {own: published for published, own in OWN_NAMES.items()}


def _whole_part(parts: Mapping[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<![^.]){re.escape(part)}(?![^.])" for part in parts))


_OWN_PART, _PUBLISHED_PART = _whole_part(PUBLISHED_NAMES), _whole_part(OWN_NAMES)


def own_name(published: str) -> str:
    """Our name for a published tensor name, in either style of spectral norm, with or without `module.`."""
    return _PUBLISHED_PART.sub(lambda part: OWN_NAMES[part[0]], published.removeprefix("module."))


def published_name(own: str) -> str:
    """The published name for one of ours, with spectral norm in the style of the published files."""
    return _OWN_PART.sub(lambda part: PUBLISHED_NAMES[part[0]], own)


_KINDS = {
    **dict.fromkeys(("label_nc", "crop_size", "output_nc", "ngf", "z_dim"), int),
    **dict.fromkeys(("contain_dontcare_label", "no_instance", "use_vae"), bool),
    **dict.fromkeys(("norm_G", "num_upsampling_layers"), str),
}
"""Of what kind the values of options are."""
_KIND_NAMES = {int: "a whole number", bool: "True or False", str: "a word"}

_NORM_G = re.compile(r"(?P<spectral>spectral)?spade(?P<norm>instance|syncbatch|batch)(?P<size>[35])x(?P=size)")


def config_from_options(options: Mapping[str, Any]) -> GeneratorConfig:
    """The architecture of a `netG=spade` generator that the published options describe.

    Raises ConfigError: where an option is missing or has a value that the published code does not know.
    """
    for name, kind in _KINDS.items():
        if name in options and type(options[name]) is not kind:  # exact: True is no int
            raise ConfigError(f"option {name!r} is {options[name]!r}; it must be {_KIND_NAMES[kind]}")
    try:
        norm = _NORM_G.fullmatch(options["norm_G"])
        if norm is None:
            raise ConfigError(f"norm_G {options['norm_G']!r}: expected a name such as spectralspadesyncbatch3x3")
        return GeneratorConfig(
            label_nc=options["label_nc"],
            dont_care=options["contain_dontcare_label"],
            instance_edges=not options["no_instance"],
            height=round(options["crop_size"] / options["aspect_ratio"]),
            width=options["crop_size"],
            output_channels=options["output_nc"],
            base_channels=options["ngf"],
            latent_dim=options["z_dim"] if options["use_vae"] else None,
            norm=Norm(norm["norm"]),
            kernel_size=int(norm["size"]),
            spectral_norm=norm["spectral"] is not None,
            upsampling=Upsampling(options["num_upsampling_layers"]),
        )
    except KeyError as error:
        raise ConfigError(f"option {error.args[0]!r} is missing") from error
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ConfigError(f"options: {error}") from error


_DISCRIMINATOR_LAYER = re.compile(r"discriminator_(\d+)\.model(\d+)\.0\.(?:0\.)?(.+)")
_ENCODER_LAYER = re.compile(r"layer(\d+)\.0\.(.+)")


def own_discriminator_name(published: str) -> str:
    """Our name for a tensor of the published multi-scale discriminator; a name that is not one stays as it is."""
    return _DISCRIMINATOR_LAYER.sub(
        lambda part: f"scales.{part[1]}.convolutions.{part[2]}.{own_name(part[3])}", published.removeprefix("module.")
    )


def published_discriminator_name(own: str, *, layers: int) -> str:
    """The published name for a tensor of ours; normalized layers, all but the first and the last, nest one deeper."""
    _, scale, _, layer, rest = own.split(".", 4)
    nested = "0.0" if 0 < int(layer) < layers else "0"
    return f"discriminator_{scale}.model{layer}.{nested}.{published_name(rest)}"


def own_encoder_name(published: str) -> str:
    """Our name for a tensor of the published encoder; a name that is not one stays as it is."""
    name = published.removeprefix("module.")
    name = _ENCODER_LAYER.sub(lambda part: f"convolutions.{int(part[1]) - 1}.{own_name(part[2])}", name)
    return name.replace("fc_mu.", "mean.").replace("fc_var.", "log_variance.")


def published_encoder_name(own: str) -> str:
    """The published name for a tensor of our encoder."""
    part, _, rest = own.partition(".")
    if part == "convolutions":
        layer, _, rest = rest.partition(".")
        return f"layer{int(layer) + 1}.0.{published_name(rest)}"
    return {"mean": "fc_mu", "log_variance": "fc_var"}[part] + f".{rest}"


def pix2pixhd_names(config: Pix2PixHDConfig) -> dict[str, str]:
    """Published prefixes of pix2pixHD's layers, which count every layer of one sequence, by ours."""
    down, blocks = config.downsamplings, config.blocks
    first_block = 3 + 2 * down
    first_up = first_block + blocks
    names = {"start": "model.1.0", "to_image": f"model.{first_up + 2 * down + 1}"}
    names |= {f"down.{level}": f"model.{3 + 2 * level}.0" for level in range(down)}
    for block in range(blocks):
        for ours, theirs in (("conv_0", 1), ("conv_1", 4)):
            names[f"blocks.{block}.{ours}"] = f"model.{first_block + block}.conv_block.{theirs}.0"
    names |= {f"up.{level}": f"model.{first_up + 2 * level}.0" for level in range(down)}
    return names


def published_pix2pixhd_name(own: str, config: Pix2PixHDConfig) -> str:
    """The published name for a tensor of our pix2pixHD generator."""
    names = pix2pixhd_names(config)
    layer = next(layer for layer in names if own.startswith(f"{layer}."))
    return f"{names[layer]}.{published_name(own.removeprefix(f'{layer}.'))}"


def pix2pixhd_from_options(options: Mapping[str, Any]) -> Pix2PixHDConfig:
    """The architecture of a `netG=pix2pixhd` generator that the published options describe.

    Raises ConfigError: where an option is missing or has a value of the wrong kind.
    """
    try:
        return Pix2PixHDConfig(
            label_nc=options["label_nc"],
            dont_care=options["contain_dontcare_label"],
            instance_edges=not options["no_instance"],
            output_channels=options["output_nc"],
            base_channels=options["ngf"],
            downsamplings=options["resnet_n_downsample"],
            blocks=options["resnet_n_blocks"],
            kernel_size=options["resnet_kernel_size"],
            initial_kernel_size=options["resnet_initial_kernel_size"],
            spectral_norm=options["norm_G"].startswith("spectral"),
        )
    except KeyError as error:
        raise ConfigError(f"option {error.args[0]!r} is missing") from error
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"options: {error}") from error
