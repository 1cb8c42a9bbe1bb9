"""Maps of a space of vectors: fitted on a sample with numpy, applied to arrays. No database is known here.

    fitted = fit_pca(rows)
    fitted.apply(rows)[:, :128]

`Database.create_map` stores one; SQL's `pgsim.apply_map` gives the same numbers to 1e-5.
"""

from pgsim.maps.fitting import (
    FewRowsWarning,
    drop_outlier_dimensions,
    fit_leanvec,
    fit_pca,
    fit_whitening,
)
from pgsim.maps.map import Map
from pgsim.maps.prefixes import PrefixRecall, recall_by_prefix

__all__ = [
    "FewRowsWarning",
    "Map",
    "PrefixRecall",
    "drop_outlier_dimensions",
    "fit_leanvec",
    "fit_pca",
    "fit_whitening",
    "recall_by_prefix",
]
