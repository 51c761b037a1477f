"""How requests end, read where it is written: in the rules and the alerts of Prometheus."""

import re
from pathlib import Path

PROMETHEUS = Path(__file__).parent.parent / "prometheus"

_KNOWN = re.search(r'status!~"(success\|[^"]*\|client_closed)"', (PROMETHEUS / "alerts.yml").read_text())[1]
_OWN = re.search(r'status!~"success\|([^"]*)"', (PROMETHEUS / "rules.yml").read_text())[1]

# Every code, and of them: what is neither the client's own doing nor a success; what the gateway refused.
CODES = _KNOWN.split("|")
NOT_FAILED = f"success|{_OWN}"
REFUSED = "|".join(code for code in CODES if re.fullmatch(_OWN, code) and code not in ("client_closed", "provider_rejected"))
