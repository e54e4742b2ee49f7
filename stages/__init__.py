"""One runnable module a stage: settings, library, progress, summary."""
