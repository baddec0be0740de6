"""What intervals and tests are called in sentences, with the keys of their sources in the bibliography."""

from __future__ import annotations

INTERVALS: dict[str, tuple[str, tuple[str, ...]]] = {
    "wilson": ("Wilson score intervals for shares of independent samples", ("wilson1927",)),
    "wilson on clusters": ("Wilson intervals with one trial per cluster where clusters do not differ", ("wilson1927",)),
    "t": ("Student t intervals for means of independent samples", ("miller2024",)),
    "cr1-t": ("t intervals on cluster-robust (CR1) standard errors where samples share a cluster", ("cameron2015", "miller2024")),
    "bootstrap-bca-t": ("bootstrap intervals", ("efron1987",)),
    "cluster-bootstrap-bca-t": ("cluster bootstrap intervals", ("efron1987", "field2007")),
    "stratified-bootstrap-bca-t": ("bootstrap intervals within labels", ("efron1987",)),
    "stratified-cluster-bootstrap-bca-t": ("cluster bootstrap intervals within labels", ("efron1987", "field2007")),
    "tango": ("Tango score intervals", ("tango1998",)),
    "tango-clusters": ("Tango score intervals with one unit per cluster", ("tango1998",)),
    "sign-flip": ("intervals that sign flips of whole clusters imply", ("fisher1935",)),
    "sign-flip-exact": ("intervals that exact sign flips of whole clusters imply", ("fisher1935",)),
    "paired-t": ("Student t intervals of the paired differences", ("miller2024",)),
}  # fmt: skip
TESTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mcnemar-mid-p": ("McNemar's mid-p test", ("mcnemar1947", "fagerland2013")),
    "obuchowski": ("Obuchowski's test", ("obuchowski1998",)),
    "cr1-t": ("t tests on cluster-robust (CR1) standard errors", ("cameron2015", "miller2024")),
    "paired-t": ("paired t tests", ("miller2024",)),
    "t": ("t tests", ()),
    "sign-flip": ("sign-flip tests", ("fisher1935",)),
    "sign-flip-exact": ("exact sign-flip tests", ("fisher1935",)),
    "cluster-swap": ("swaps of the models' answers in whole clusters", ("noreen1989",)),
    "cluster-swap-exact": ("exact swaps of the models' answers in whole clusters", ("noreen1989",)),
    "bootstrap-bca-t": ("the paired bootstrap", ("efron1987",)),
    "cluster-bootstrap-bca-t": ("the paired cluster bootstrap", ("efron1987", "field2007")),
    "stratified-bootstrap-bca-t": ("the paired bootstrap within labels", ("efron1987",)),
    "stratified-cluster-bootstrap-bca-t": ("the paired cluster bootstrap within labels", ("efron1987", "field2007")),
    "wilson": ("score tests of a share", ("wilson1927",)),
    "wilson-clusters": ("score tests of a share with one trial per cluster", ("wilson1927",)),
}  # fmt: skip
