"""The public data sets that can be adapted, by name."""

from typing import Final

from seed_data.adapters import (
    busi,
    cbis_ddsm,
    cmmd,
    csaw_cc,
    embed,
    mini_mias,
    omi_db,
    rsna_2022,
    vindr_mammo,
)
from seed_data.adapters.public_set import PublicSet

SETS: Final[dict[str, PublicSet]] = {
    module.SET.name: module.SET
    for module in (cbis_ddsm, vindr_mammo, cmmd, embed, csaw_cc, rsna_2022, omi_db, mini_mias, busi)
}
