"""x"""
from cartwheel.workflow._targets import Compiled, Finding
def check(compiled: Compiled) -> tuple[Finding, ...]:
    return ()
