"""Sheets of panels, drawn as SVG by gnuplot: bars and curves of several
servers."""
import math
import statistics
import subprocess

COLOURS = {'postern glibc': '#1f5fa8', 'postern musl': '#6fa8dc',
           'Postfix': '#d9822b', 'OpenSMTPD': '#5a9e53', 'Exim': '#a05a9e',
           'dma': '#8a8a8a'}
HEIGHT = 340            # of a panel
STYLE = '''
set terminal svg size %d,%d font "Helvetica,12" background "#ffffff"
set output "%s"
set multiplot layout %d,%d title "%s" font ",15" margins %s spacing %s
set style fill solid 1.0 noborder
set grid ytics lc rgb "#dddddd" lt 1
set border 3
set xtics nomirror out
set ytics nomirror out
set tics font ",10"
set title font ",12"
set style textbox opaque noborder fillcolor rgb "#ffffff" margins 0.3,0.2
'''


def digits(x):
    return '%.*f' % (0 if x >= 100 else 1 if x >= 10 else 2, x)


class Sheet:
    """Some panels beside each other in one file."""

    def __init__(self, title, columns=3, width=400, below=70):
        self.title, self.columns, self.width = title, columns, width
        self.below, self.panels = below, []

    def write(self, path):
        columns = min(self.columns, len(self.panels))
        rows = -(-len(self.panels) // columns)
        w, h = self.width * columns, HEIGHT * rows + 50
        margins = '%.3f,%.3f,%.3f,%.3f' % (
            90 / w, 1 - 15 / w, self.below / h, 1 - 95 / h)
        spacing = '%.3f,%.3f' % (95 / w, 125 / h)
        script = STYLE % (w, h, path, rows, columns,
                          self.title, margins, spacing)
        script += '\n'.join(self.panels) + '\nunset multiplot\n'
        subprocess.run(['gnuplot'], input=script, text=True, check=True)
        return path


def bars(title, unit, values, marks=(), log=False):
    """A bar for each server: values is {server: [figures]}; marks: dashed
    lines as (from, to, height), where the first bar stands at 0."""
    data = []
    for i, (server, v) in enumerate(values.items()):
        middle = statistics.median(v)
        data.append('%d %g %g %g "%s" %d' % (
            i, middle, min(v), max(v), digits(middle),
            int(COLOURS.get(server, '#555555')[1:], 16)))
    heights = [m[2] for m in marks]
    most = max([max(v) for v in values.values()] + heights)
    least = min([min(v) for v in values.values()] + heights)
    lines = ['$data << EOD'] + data + ['EOD', '$marks << EOD'] + [
        '%g %g %g' % (left, y, right - left) for left, right, y in marks] + [
        'EOD', 'set title "%s"' % title,
        'set ylabel "%s"' % unit,
        'set xtics (%s) offset 0,0.4' % ', '.join(
            '"%s" %d' % (s.replace(' ', '\\n'), i)
            for i, s in enumerate(values)),
        'set xrange [-0.6:%g]' % (len(values) - 0.4),
        'set logscale y\nset yrange [%g:%g]' % (least / 3, most * 3)
        if log else 'unset logscale y\nset yrange [0:%g]' % (most * 1.2)]
    plots = ['$data using 1:2:(0.6):6 with boxes lc rgb variable notitle',
             '$data using 1:3:(0):($4-$3) with vectors heads size '
             'graph 0.015,90 lw 1.5 lc rgb "#222222" notitle']
    if marks:
        plots.append('$marks using 1:2:3:(0) with vectors nohead dt 2 lw 2 '
                     'lc rgb "#b03030" notitle')
    plots.append('$data using 1:4:5 with labels boxed offset 0,0.9 '
                 'font ",11" notitle')
    return '\n'.join(lines + ['plot ' + ', \\\n  '.join(plots)])


def curves(title, unit, axis, values, ticks):
    """values: {server: {x: [figures]}}, both axes logarithmic; ticks: {x:
    text}."""
    lines = ['set title "%s"' % title, 'set ylabel "%s"' % unit,
             'set xlabel "%s" offset 0,0.5' % axis, 'set logscale xy',
             'set key at graph 0.5, graph -0.36 center top horizontal samplen 2 '
             'font ",11"', 'set grid xtics',
             'set xtics (%s) offset 0,0.4' % ', '.join(
                 '"%s" %s' % (text, x) for x, text in ticks.items())]
    plots = []
    for i, (server, by_point) in enumerate(values.items()):
        lines.append('$data%d << EOD' % i)
        lines += ['%s %g %g %g' % (x, statistics.median(v), min(v), max(v))
                  for x, v in by_point.items()]
        lines.append('EOD')
        plots.append('$data%d using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.6 '
                     'lc rgb "%s" title "%s"' % (
                         i, COLOURS.get(server, '#555555'), server))
    xs = [float(x) for v in values.values() for x in v]
    ys = [y for v in values.values() for figures in v.values()
          for y in figures]
    lines.append('set xrange [%g:%g]' % (min(xs) / 1.5, max(xs) * 1.5))
    # whole powers of ten, so that two of them at least are on the axis
    lines.append('set yrange [%g:%g]' % (
        10 ** math.floor(math.log10(min(ys) * 0.8)),
        10 ** math.ceil(math.log10(max(ys) * 1.2))))
    lines.append('plot ' + ', \\\n  '.join(plots))
    return '\n'.join(lines)
