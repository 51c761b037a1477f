"""The costs as a picture: what each gateway adds to the processor time of a bare Envoy, case by case."""

from html import escape

COLOURS = {"empty": "#9aa5b1", "ours": "#0b7285", "routed": "#5f3dc4", "native": "#e8590c", "other": "#74b816"}
WIDTH, LEFT, BAR, GAP = 860, 250, 16, 22


def costs(results, cases):
    rows, y, groups = [], 64, []
    for case in cases:
        bars = [(name, figures["extra_us"]) for name, figures in results[case.name].items() if "extra_us" in figures]
        if bars:
            groups.append((case, bars))
    for case, bars in groups:
        # Each case has a scale of its own: a stream costs a hundred times what a small answer does.
        widest = max(max(figure["high"], 0.1) for _, figure in bars)
        scale = (WIDTH - LEFT - 150) / widest
        rows.append(f'<text x="{LEFT - 12}" y="{y + BAR * len(bars) / 2 + 4}" text-anchor="end" font-weight="600">{escape(case.what)}</text>')
        for name, figure in bars:
            length = max(1.0, figure["median"] * scale)
            low, high = (LEFT + max(0.0, figure[key]) * scale for key in ("low", "high"))
            middle = y + BAR / 2 - 1
            rows.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{COLOURS.get(name, "#b08968")}"/>')
            rows.append(f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#212529" stroke-width="1.5"/>')
            rows.append(f'<text x="{max(high, LEFT + length) + 8:.1f}" y="{y + BAR - 5}">{escape(name)} {figure["median"]:+,.0f} µs</text>')
            y += BAR
        y += GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#212529">'
        f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>'
        '<text x="20" y="28" font-size="16" font-weight="600">Processor time of Envoy, beyond that of a bare one, by request</text>'
        '<text x="20" y="46" fill="#495057">medians, and lines from the first quartile to the third; each case has its own scale</text>'
    )
    return head + "".join(rows) + "</svg>\n"
