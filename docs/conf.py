"""The documentation site: `python -m sphinx -W --keep-going -b html docs OUT` from the root of the repository.

It needs `pip install '.[docs]'` and no network: what NumPy's names refer to is not looked up in NumPy's own site
(intersphinx would fetch its index at every build, and fail one without a connection).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import fastnn

project = "fastnn"
author = "fastnn developers"
copyright = "fastnn developers"
version = release = fastnn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "measured",
    "public",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = False

autodoc_typehints = "none"  # types are in the sections of parameters
autodoc_preserve_defaults = True  # dtype=np.float32, not <class 'numpy.float32'>
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
toc_object_entries = False  # each section begins with a table of its entries
default_role = "py:obj"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = f"fastnn {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_show_sourcelink = False
_ALONE = ("tutorial", "conventions", "optimizers", "accuracy", "benchmarks", "changelog")
html_sidebars = {page: [] for page in _ALONE}  # there are no pages below them
html_theme_options = {
    "show_toc_level": 2,
    "header_links_before_dropdown": 4,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "conventions": []},  # whose tables need the room
    "footer_start": ["copyright"],
    "footer_end": [],
}
