"""What the published code calls things: its tensors, its options, its datasets, in terms of ours."""

import re
from collections.abc import Mapping
from typing import Any

from spade.config import GeneratorConfig, Norm, Upsampling
from spade.errors import ConfigError

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


_NORM_G = re.compile(r"(?P<spectral>spectral)?spade(?P<norm>instance|syncbatch|batch)(?P<size>[35])x(?P=size)")


def config_from_options(options: Mapping[str, Any]) -> GeneratorConfig:
    """The architecture of a `netG=spade` generator that the published options describe.

    Raises ConfigError: where an option is missing or has a value that the published code does not know.
    """
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
    except (TypeError, ValueError) as error:
        raise ConfigError(f"options: {error}") from error
