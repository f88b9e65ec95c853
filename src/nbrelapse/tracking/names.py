"""What runs, tags and metrics are called in MLflow; the same for every endpoint, so that experiments compare.

A metric's name is the figure, where it was measured, what of it: ``c``, ``c.low``, ``c.high_risk``,
``c.holdout.minus_baseline.high``. Without a place it is nested cross-validation of all training patients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbrelapse.outcome import OutcomeKind

_KIND_TAG = "nbrelapse.kind"
_EXPERIMENT = "experiment"
_MODEL = "model"
_TRIAL = "trial"
_EVALUATION = "evaluation"
_IMPORT = "import"
_MODEL_TAG = "nbrelapse.model"
_CHOSEN_TAG = "nbrelapse.chosen"
_NOTE_TAG = "mlflow.note.content"
_PROCESS_TAG = "nbrelapse.process"
"""Which process a run is of: see ``tracking/_process.py``."""

ENDPOINT_TAG = "endpoint"
FAMILIES_TAG = "nbrelapse.families"
TRIALS_TAG = "nbrelapse.trials"
APPARENT_TAG = "nbrelapse.before_choice"
CORRECTED_TAG = "nbrelapse.after_choice"
"""With all digits, for sentences that round them; the metrics of a run are rounded."""

BUNDLE_TAG = "nbrelapse.bundle"
"""Of versions and evaluations: fingerprint of what a saved model holds, wherever it is kept."""

MODEL_ID_TAG = "nbrelapse.model_id"
REGISTERED_TAG = "nbrelapse.registered"
WITHHELD_TAG = "nbrelapse.withheld"
"""Of an evaluation: why it gives no verdict; what has none decides no promotion either."""

PAIRED_FILE = "paired_replicates.json"
"""Of an experiment or evaluation: the leading metric in resamples that are the same for all models."""

LEADING_FIGURE = "c"
"""The leading metric: Harrell's C, which for a binary endpoint is the AUC."""

FOLD_CURVE = f"{LEADING_FIGURE}.fold"
"""The leading metric in each fold of the cross-validation; its steps are the folds."""

PATH_CURVE = "deviance_explained"
"""How the fit went in the training patients; its steps are penalties or trees."""

TRIAL_CURVE = "log_likelihood"
"""What a trial of the tuning is judged by; its steps are inner folds."""

COMPARED_METRICS = (
    "c",
    "c.low",
    "c.high",
    "c.minus_baseline",
    "c.minus_baseline.low",
    "c.minus_baseline.high",
    "c.high_risk",
    "brier",
    "calibration_slope",
    "events",
)
"""The columns of the page that lists an experiment's models."""


def metric_of_figure(figure: str, kind: OutcomeKind) -> str:
    """Return the key in ``METRICS`` of a figure as runs name it; a key stays as it is.

    Parameters
    ----------
    figure : str
    kind : OutcomeKind

    Returns
    -------
    str

    Examples
    --------
    >>> from nbrelapse.outcome import BINARY, SURVIVAL
    >>> metric_of_figure("c", SURVIVAL), metric_of_figure("c", BINARY), metric_of_figure("brier", SURVIVAL)
    ('harrell_c', 'auc', 'brier_3y')
    """
    if figure == LEADING_FIGURE:
        return kind.leading_metric
    return "brier_3y" if figure == "brier" and kind.has_time else figure
