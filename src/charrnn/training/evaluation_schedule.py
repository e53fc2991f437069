"""When perplexity is measured."""

from __future__ import annotations

from omegaconf import DictConfig


def log_spaced(num_batches: int) -> list[int]:
    """The batch counts of the authors' code: 1, 3, 6, 13, 26, 51, 101, 201, 401, ..., the last.

    Examples:
        >>> log_spaced(300)
        [1, 3, 6, 13, 26, 51, 101, 201, 300]
    """
    counts = [1, 3, 6, 13]
    while (following := 25 * 2 ** (len(counts) - 4) + 1) < num_batches:
        counts.append(following)
    return [count for count in counts if count < num_batches] + [num_batches]


def evaluation_counts(cfg: DictConfig) -> list[int]:
    """The batch counts at which the configuration's run is evaluated; the last one always is.

    Args:
        cfg: its `evaluate_at` lists them, or is null for those of `log_spaced`; a sweep adds the
            lengths of shorter cells that are read off the same run.
    """
    chosen = log_spaced(cfg.num_batches) if cfg.evaluate_at is None else cfg.evaluate_at
    return sorted({*chosen, *cfg.job.evaluate_also, cfg.num_batches})
