"""How endpoints, strategies and numbers are written."""

from __future__ import annotations

from nbrelapse.models.families import model_title

ENDPOINTS = {
    "relapse": "relapse or progression",
    "efs": "event-free survival",
    "os": "overall survival",
    "refractory": "refractory disease",
}
_EVENTS = {
    "relapse": "relapse or progression",
    "efs": "an event",
    "os": "death",
    "refractory": "refractory disease",
}

_STRATEGIES = {
    "treat all": "Treat all",
    "treat none": "Treat none",
    "high_risk": "Clinical high-risk group",
    "clinical_risk_group": "Highest recorded risk group",
    "clinical_cog_v2": "Highest COG v2 group",
    "clinical_inrg": "Highest INRG group",
}


def _strategy_title(name: str) -> str:
    """Return the display name of a strategy of treatment: a group that is treated, or a model.

    Examples
    --------
    >>> _strategy_title("clinical_inrg"), _strategy_title("cox")
    ('Highest INRG group', 'Elastic-net Cox')
    """
    return _STRATEGIES.get(name, model_title(name))


def _number(value: float, digits: int = 3) -> str:
    """Write a number; the minus as typographers set it.

    Examples
    --------
    >>> _number(0.5), _number(-0.25, 1)
    ('0.500', '−0.2')
    """
    return f"{value:.{digits}f}".replace("-", "−")


def _signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign, unless it rounds to zero.

    Examples
    --------
    >>> _signed(-0.5), _signed(0.26, 1), _signed(-0.001)
    ('−0.50', '+0.3', '0.00')
    """
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def _percent(probability: float) -> str:
    """Write a probability or share in whole per cent; never as certain.

    Examples
    --------
    >>> _percent(0.254), _percent(0.997), _percent(0.0004)
    ('25%', 'over 99%', 'under 1%')
    """
    if probability > 0.995:
        return "over 99%"
    return "under 1%" if probability < 0.005 else f"{probability:.0%}"


def _feature_value(kind: str, value: float) -> str:
    """Write the value of a feature of a kind.

    Examples
    --------
    >>> _feature_value("binary", 1.0), _feature_value("binary", 0.5), _feature_value("fraction", 0.25)
    ('yes', '0.5', '25%')
    >>> _feature_value("continuous", 34.567), _feature_value("count", 1234.0)
    ('34.6', '1234')
    """
    if kind == "binary" and value in (0.0, 1.0):
        return "yes" if value else "no"
    if kind == "fraction":
        return f"{value:.0%}"
    return (f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−")


def _contribution_text(value: float, scale: str) -> str:
    """Write a contribution: to a probability in percentage points, else as it is.

    Examples
    --------
    >>> _contribution_text(-0.125, "probability"), _contribution_text(0.3, "log hazard")
    ('−12.5 pp', '+0.30')
    """
    return f"{_signed(100 * value, 1)} pp" if scale == "probability" else _signed(value)


def _prediction_text(value: float, scale: str) -> str:
    """Write what contributions start from or add up to.

    Examples
    --------
    >>> _prediction_text(0.25, "probability"), _prediction_text(0.25, "log odds")
    ('25%', '+0.25')
    """
    return _percent(value) if scale == "probability" else _signed(value)
