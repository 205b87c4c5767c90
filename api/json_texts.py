"""JSON that a client sent, as one of our models. What it costs is bounded before it is taken apart.

A text of a few megabytes can hold millions of values, each of which the parser keeps, and each of which may be a fault
that it describes: minutes and gigabytes.
"""

from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from api.errors import Fault, MalformedBodyError, ParametersRefusedError
from api.parameters import faults_of

Model = TypeVar("Model", bound=BaseModel)
MAX_JSON_BYTES: Final = 32 * 2**20
MAX_PARAMETERS_BYTES: Final = 2**20
SPARE_VALUES: Final = 2**15
"""For parameters, labels and the commas of a palette."""
VALUES_OF_A_FILE: Final = 8
"""Of a label map and its instance map: separators and brackets of two objects with two members each."""
MAX_DESCRIBED_FAULTS: Final = 1000


def most_values(files: int) -> int:
    """Values that a body with so many label maps may have."""
    return SPARE_VALUES + VALUES_OF_A_FILE * files


def read_json(text: bytes, model: type[Model], *, what: str, most_values: int) -> Model:
    """The text as a model; `what` names it in messages. Raises MalformedBodyError or ParametersRefusedError."""
    if sum(map(text.count, (b",", b"[", b"{"))) > most_values:
        detail = (
            f"{what} has more than {most_values} values, lists and objects; send label maps as multipart/form-data, "
            "as a ZIP or by their prefix in the bucket"
        )
        raise ParametersRefusedError([Fault(code="too-many-values", detail=detail)])
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _translated(error, model, what) from error


def _translated(
    error: ValidationError, model: type[BaseModel], what: str
) -> MalformedBodyError | ParametersRefusedError:
    count = error.error_count()
    if count > MAX_DESCRIBED_FAULTS:
        return ParametersRefusedError([Fault(code="too-many-faults", detail=f"{count} things are wrong with {what}")])
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] == "json_invalid":
            return MalformedBodyError(f"{what} is not JSON: {detail['ctx']['error']}")
    return ParametersRefusedError(faults_of(error, known=model.model_fields))
