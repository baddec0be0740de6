"""Imported by the zygote: the templates of reports are compiled there, once for all of its children."""

from __future__ import annotations

from mmeval.core.resources import resource_dir
from mmeval.reports.page import page_environment
from mmeval.reports.templates import Templates

for path in sorted(resource_dir("reports").glob("*.j2")):
    page_environment(Templates()).get_template(path.name)
