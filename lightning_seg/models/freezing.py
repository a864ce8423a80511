"""Networks whose encoder does not train, or not yet."""

from torch import nn

from lightning_seg.errors import ConfigError


class Freezing:
    """Whether the part ``encoder`` of a network trains, and whether its BatchNorm statistics follow the pictures.

    Args:
        network: any; without an encoder nothing can be frozen.
        encoder: whether its weights stay as they are, and so its statistics.
        norms: whether the statistics stay also where the weights train, for small batches.

    Raises:
        ConfigError: if there is nothing that could be frozen.
    """

    def __init__(self, network: nn.Module, encoder: bool, norms: bool) -> None:
        self.network, self.norms = network, norms
        if (encoder or norms) and not hasattr(network, "encoder"):
            name = "freeze_encoder" if encoder else "freeze_encoder_norm"
            raise ConfigError(f"{name}: {type(network).__name__} has no encoder; set it false")
        self.encoder = encoder
        self._require_gradients()

    def end(self) -> None:
        """Let the encoder train from now on."""
        self.encoder = False
        self._require_gradients()

    def _require_gradients(self) -> None:
        if hasattr(self.network, "encoder"):
            self.network.get_submodule("encoder").requires_grad_(not self.encoder)

    def keep_modes(self) -> None:
        """A frozen encoder stays in eval mode, otherwise its statistics would drift."""
        if self.encoder or self.norms:
            self.network.get_submodule("encoder").eval()


def describe_random_features(weights: str, freezes: bool, freezes_norms: bool, lr_factor: float) -> list[str]:
    """One line for each setting that makes sense for a pretrained encoder alone, where there is none.

    Args:
        weights: name of the argument that would name pretrained weights.
        freezes: whether the encoder is frozen.
        freezes_norms: whether its statistics are.
        lr_factor: of its learning rate.
    """
    frozen = {"freeze_encoder": freezes, "freeze_encoder_norm": freezes_norms}
    lines = [
        f"{name} is on and {weights} is null, so random features would stay; set it false, or give weights"
        for name, is_on in frozen.items()
        if is_on
    ]
    if lr_factor < 1:
        lines.append(
            f"encoder_lr_factor is {lr_factor} and {weights} is null, so random features would learn slowly; set it 1, "
            "or give weights"
        )
    return lines
