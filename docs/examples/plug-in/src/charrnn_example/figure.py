"""A figure of the experiment `halves`: a panel for each corpus, a colour for each scheme."""

from analysis.drawing.catalogue import Figure

HALVES = Figure("A loss on half of each sequence", panel="corpus", colour="scheme")
