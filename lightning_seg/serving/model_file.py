"""An exported file, opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lightning_seg.cores import usable_cores
from lightning_seg.errors import ConfigError, ModelError, one_line
from lightning_seg.model_file import IMAGE_SIZE, INPUTS, OUTPUTS, PROPERTY, ModelFile

PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
"""What onnxruntime calls the devices."""
ERRORS_ALONE = 3
"""Of onnxruntime's levels of messages; its warnings are about the making of the file."""


class ExportedModel:
    """A file that ``lightning-seg export`` has written, ready to run.

    Args:
        path: of the file.
        device: ``cpu`` or ``cuda``; None takes CUDA where onnxruntime has it.

    Raises:
        ConfigError: if it is not there, not whole, of another program or of a newer format, or there is no such device.
    """

    def __init__(self, path: str | Path, device: str | None = None) -> None:
        self.path = Path(path)
        self.device, session = _open(self.path, device)
        self.about = ModelFile.from_json(session.get_modelmeta().custom_metadata_map.get(PROPERTY), str(path))
        _check_names(self.path, self.about, session)
        self.inputs = _inputs_of(session)
        self._session = session

    def run(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """These outputs alone, in this order; the rest is not computed.

        Raises:
            ModelError: if onnxruntime cannot run it, for instance because memory runs out.
        """
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.only_execute_path_to_fetches = True
        try:
            found: list[NDArray[Any]] = self._session.run(list(outputs), dict(inputs), options)
        # Its classes of errors have no common base.
        except Exception as error:
            raise ModelError(
                f"{self.path}: onnxruntime cannot apply it to a picture ({one_line(error)[:200]}); give --tile, or "
                "smaller pictures"
            ) from error
        return found


def read_metadata(path: str | Path) -> ModelFile:
    """What a file tells about itself.

    Raises:
        ConfigError: see ``ExportedModel``.
    """
    return ExportedModel(path, "cpu").about


def _open(path: Path, device: str | None) -> tuple[str, Any]:
    """The device, and onnxruntime's session on it."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give a file that lightning-seg export has written")
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(f"{path}: onnxruntime is not installed; pip install onnxruntime") from error
    there = [name for name, provider in PROVIDERS.items() if provider in onnxruntime.get_available_providers()]
    if device is not None and device not in there:
        raise ConfigError(f"device {device}: onnxruntime has {' and '.join(there)} here; give one of them")
    chosen = there if device is None else [device]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ALONE
    # Of itself it takes all cores of the machine, also where a container may use fewer.
    options.intra_op_num_threads = usable_cores()
    try:
        session = onnxruntime.InferenceSession(str(path), options, [PROVIDERS[name] for name in chosen])
    # Its classes of errors have no common base.
    except Exception as error:
        raise ConfigError(
            f"{path}: cannot be read as ONNX, as if it had been cut off ({one_line(error)[:200]}); export the run anew"
        ) from error
    return chosen[0], session


def _inputs_of(session: Any) -> set[str]:
    return {one.name for one in (*session.get_inputs(), *session.get_overridable_initializers())}


def _check_names(path: Path, about: ModelFile, session: Any) -> None:
    own, given = _inputs_of(session), {one.name for one in session.get_outputs()}
    wanted = [name for name in INPUTS[about.kind] if name != IMAGE_SIZE or about.image_size is not None]
    for what, names, there in (("input", wanted, own), ("output", OUTPUTS[about.kind], given)):
        if missing := [name for name in names if name not in there]:
            raise ConfigError(f"{path}: it has no {what} {missing[0]!r}, which {about.kind} need; export the run anew")
