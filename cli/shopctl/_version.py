"""The distribution's version, here once more because asking for it at run time is slow."""

VERSION = "0.1.0"
