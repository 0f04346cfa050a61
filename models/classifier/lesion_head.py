"""A head on lesions: an encoder's lesion map over a whole mammogram, and what the encoder says of the view."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier.head import NetworkHead, Seen
from models.classifier.lesions import lesion_heat, lesion_logits
from models.classifier.network import predict
from models.classifier.options import HeadName

__all__ = ["LesionHead"]


class LesionHead(NetworkHead):
    """Reads what `models.classifier.lesions.train_lesion_network` trained."""

    name = HeadName.LESIONS
    may_miss_lesions = True

    def logits(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
        """Return logits (n, classes) of prepared views."""
        out = predict(self.network, pixels, batch=4)
        return lesion_logits(out["finding"], out["lesion"], self.config.classes)

    def seen(self, pixels: NDArray[np.float32], around: NDArray[np.uint8] | None) -> Seen:
        """Return logits, where a lesion is seen, and vectors."""
        out = predict(self.with_means, pixels, batch=1)
        logits = lesion_logits(out["finding"], out["lesion"], self.config.classes)
        return Seen(logits, lesion_heat(out["lesion"]), self.vectors_of(out, pixels))
