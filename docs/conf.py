"""Settings of the documentation site: `make site` builds it into build/site, to be read from a folder."""

import sys
from pathlib import Path

from nbrelapse import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "nbrelapse"
author = "the authors of nbrelapse"
copyright = "the authors of nbrelapse, GPL-3.0-or-later"
release = version = __version__

extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser", "faces", "mathml"]
exclude_patterns = ["_ext"]
nitpicky = True

# Text of the pages: links by heading as on a forge, formulas between dollars.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # the decisions begin with a title and go on as they like

# Docstrings say the types; the signatures stay short.
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_math_renderer = "mathml"
autosummary_generate = False
html_theme = "pydata_sphinx_theme"
html_title = "nbrelapse"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": [], "tutorial/*": []}
html_theme_options = {
    "logo": {"text": "nbrelapse"},
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_depth": 2,
    "show_toc_level": 2,
}
