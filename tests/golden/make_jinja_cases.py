#!/usr/bin/env python3
"""make_jinja_cases.py - writes jinja_cases.jsonl: templates of ours with what Jinja2 makes of them.

Needs the Python package jinja2 (made with 3.1.6), set up as transformers does for chat templates. Each line is
{"source", "text"} or {"source", "error": true}; the first line is {"vars"}. tests/unit/test_jinja.c renders all of them.
A case that hone refuses although Jinja2 renders it is not wrong, but none of these is meant to be."""
import datetime
import json
import os

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_inside"), [], [], body).set_lineno(line)

    def _inside(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = lambda f: datetime.datetime.fromtimestamp(1700000000, datetime.timezone.utc).strftime(f)

V = dict(messages=[{"role":"system","content":"Sys"},{"role":"user","content":"Hé llo\n  wörld ","n":3},{"role":"assistant","content":None,"tool_calls":[{"function":{"name":"f","arguments":{"a":1,"b":[1.5,True,None,"x\"'"],"ß":"é"}}}]}],

         l=[3,1,2],d={"b":1,"a":2,"C":3},s="Hello, World",u="ñandú ünï ABC déf",f=1.5,g=1e20,h=1e-7,i=-7,t=True, n=None,e="",el=[],ed={},nested=[[1,2],[3,[4]]],ws="  a b\n\tc  ",q="it's",qq='say "x" it\'s', lines="a\nb\r\nc\n\nd",
         names=["bob","Alice","carl","alice"], objs=[{"k":1,"v":"x"},{"k":2,"v":"y"},{"k":1,"v":"z"}], big=10**15, add_generation_prompt=True, bos_token="<s>",
         keys={"items":5,"keys":"k","normal":1},
         fl=[0.1,100.0,1e16,123456789.123,1e15,-0.0,5e-324,1.7976931348623157e308,0.0001,0.00001,3.0,2.5e-5,1e22,123456.789e3], z=0)
T = [
    '{{ l }}',
    '{{ d }}',
    '{{ s }}',
    '{{ f }} {{ g }} {{ h }}',
    '{{ fl }}',
    '{{ fl|tojson }}',
    '{{ t }} {{ n }} {{ undefined_x }}',
    "{{ q }}{{ [q] }}{{ [qq] }}{{ ['\\n\\t\\\\'] }}{{ ['\xe9\\x01\\u200b'] }}",
    '{{ nested }}',
    '{{ (1,) }} {{ (1,2) }} {{ () }}',
    '{{ 1 + 2 * 3 - 4 / 2 }}',
    '{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}',
    "{{ 'a' ~ 1 ~ n ~ l }}",
    "{{ 'a' * 3 }} {{ [1] * 2 }} {{ 3 * 'ab' }}",
    "{{ 'a' + 'b' }} {{ [1] + [2] }} {{ (1,) + (2,) }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }}",
    "{{ 'a' in 'abc' }} {{ 1 in l }} {{ 'b' in d }} {{ 5 not in l }} {{ 'x' not in s }}",
    "{{ not t }} {{ t and 5 }} {{ n or 'x' }} {{ e or el or 'y' }} {{ 0 and 1 }}",
    "{{ 'yes' if t else 'no' }} {{ 'yes' if n }}|",
    '{{ s[0] }} {{ s[-1] }} {{ s[1:3] }} {{ s[::-1] }} {{ s[:-2] }} {{ s[-3:] }} {{ s[10:2:-2] }}',
    '{{ u[0] }}{{ u[4:6] }}{{ u|length }}{{ u[::-1] }}',
    '{{ l[0] }} {{ l[-1] }} {{ l[1:] }} {{ l[::-1] }} {{ l[5:] }} {{ l[10] }}|',
    "{{ d.b }} {{ d['a'] }} {{ d.zz }}| {{ d['zz'] }}|",
    "{{ keys['items'] }} {{ keys.normal }} {{ keys['keys'] }}",
    "{% for k, v in d.items() %}{{ k }}={{ v }}{{ ', ' if not loop.last }}{% endfor %}",
    '{% for k in d %}{{ k }}{% endfor %}',
    "{% for c in 'h\xe9y' %}{{ c }}-{% endfor %}",
    '{% for x in el %}a{% else %}empty{% endfor %}',
    '{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}',
    "{% for x in l %}{{ loop.index }} {{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }} {{ loop.previtem }} {{ loop.nextitem }} {{ loop.depth }} {{ loop.cycle('a','b') }} {{ loop.changed(x > 1) }}|{% endfor %}",
    '{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if x == 2 %}{% break %}{% endif %}{% endfor %}',
    '{% for a in l %}{% for b in l %}{{ a }}{{ b }}{{ loop.index }}{{ loop.depth }} {% endfor %}{{ loop.index }}{% endfor %}',
    '{% set x = 1 %}{% for y in l %}{% set x = x + y %}{{ x }} {% endfor %}{{ x }}',
    "{% set ns = namespace(c=0, x='a') %}{% for y in l %}{% set ns.c = ns.c + y %}{% endfor %}{{ ns.c }}{{ ns.x }}{{ ns.zz }}|",
    '{% set a, b = 1, 2 %}{{ a }}{{ b }}',
    '{% set x %}abc{{ s }}{% endset %}[{{ x }}]',
    '{% set x | upper %}abc{% endset %}{{ x }}',
    '{% macro m(a, b=2) %}[{{ a }}|{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}{{ m() }}',
    '{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ s }}{% endcall %}',
    '{% macro m(x) %}{{ caller(x) }}{% endmacro %}{% call(y) m(5) %}{{ y + 1 }}{% endcall %}',
    '{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(4) }}',
    '{% filter upper %}abc {{ s }}{% endfilter %}',
    '{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}|',
    '{{ ws|trim }}|{{ ws.strip() }}|{{ ws.lstrip() }}|{{ ws.rstrip() }}|',
    "{{ s.strip('Hd') }} {{ s.lstrip('He') }} {{ s.split(', ') }} {{ s.split('o') }} {{ s.split('o', 1) }} {{ s.rsplit('o', 1) }} {{ ws.split() }} {{ ws.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }}",
    '{{ lines.splitlines() }} {{ lines.splitlines(true) }}',
    "{{ s.startswith('He') }} {{ s.endswith('ld') }} {{ s.startswith(('x','H')) }}",
    "{{ s.replace('o', '0') }} {{ s.replace('o','0',1) }} {{ s|replace('l','L') }} {{ 'abc'.replace('', '-') }} {{ s|replace('l','L',2) }}",
    '{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.capitalize() }} {{ s.swapcase() }}',
    '{{ u.upper() }} {{ u.lower() }} {{ u.title() }} {{ u|title }} {{ u|capitalize }}',
    "{{ ', '.join(['a','b']) }} {{ l|join('-') }} {{ objs|join(',', attribute='v') }} {{ names|join }}",
    "{{ s.find('o') }} {{ s.rfind('o') }} {{ s.find('z') }} {{ s.index('W') }} {{ s.count('l') }} {{ u.find('\xfc') }}",
    "{{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.partition('-') }} {{ 'abc'.rpartition('-') }}",
    "{{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ 'AB'.isupper() }} {{ 'ab'.islower() }} {{ ''.isdigit() }} {{ 'a b'.islower() }} {{ '1'.isupper() }}",
    "{{ '5'.zfill(3) }} {{ '-5'.zfill(4) }} {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3) }} {{ 'a'.center(4) }}| {{ 'ab'.center(5,'*') }} {{ 'abc'.center(6,'*') }}",
    "{{ '{} {}'.format(1, 'a') }} {{ '{1}{0}'.format('x','y') }} {{ '{a}'.format(a=3) }} {{ '{{}}'.format() }}",
    "{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }}",
    "{{ '%s and %d' % ('a', 3) }} {{ '%.2f' % 1.005 }} {{ '%s' % 5 }} {{ '%05d' % 42 }} {{ '%x' % 255 }} {{ '%r' % 'a' }} {{ '100%%' % () }}",
    '{{ "%s-%s" | format("a", 1) }}',
    "{{ d.get('a') }} {{ d.get('zz') }} {{ d.get('zz', 5) }} {{ d.keys()|list }} {{ d.values()|list }} {{ d.items()|list }}",
    "{{ d|items|list }} {{ d|dictsort }} {{ d|dictsort(by='value', reverse=true) }} {{ d|dictsort(true) }}",
    "{{ l|sort }} {{ l|sort(reverse=true) }} {{ names|sort }} {{ names|sort(case_sensitive=true) }} {{ objs|sort(attribute='v', reverse=true) }}",
    '{{ l|first }} {{ l|last }} {{ el|first }}| {{ s|first }} {{ s|last }}',
    '{{ l|length }} {{ d|length }} {{ s|length }} {{ undefined_x|length }} {{ l|count }}',
    "{{ l|reverse|list }} {{ s|reverse }} {{ l|max }} {{ l|min }} {{ l|sum }} {{ objs|sum(attribute='k') }} {{ names|max }} {{ el|max }}|",
    "{{ objs|map(attribute='v')|list }} {{ names|map('upper')|list }} {{ objs|map(attribute='zz', default='q')|list }} {{ l|map('string')|join('+') }}",
    "{{ objs|selectattr('k','equalto',1)|list }} {{ objs|selectattr('zz')|list }} {{ objs|rejectattr('k','eq',1)|map(attribute='v')|list }} {{ l|select('odd')|list }} {{ l|reject('gt', 1)|list }} {{ l|select|list }} {{ objs|selectattr('k', 'in', [2])|list }} {{ messages|selectattr('tool_calls','defined')|list|length }}",
    '{{ names|unique|list }} {{ o',
    "{% for k, g in objs|groupby('k') %}{{ k }}:{{ g|map(attribute='v')|join }};{% endfor %}",
    "{{ l|batch(2)|list }} {{ l|batch(2,'x')|list }}",
    "{{ undefined_x|default('d') }} {{ e|default('d') }} {{ e|default('d', true) }} {{ n|d('x') }} {{ undefined_x|default }}|",
    "{{ 'abc'|list }} {{ d|list }} {{ 5|string }} {{ n|string }} {{ '5'|int + 1 }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ 3.9|int }} {{ '3.7'|int }} {{ '1.5'|float }} {{ 'z'|float }} {{ 2|float }}",
    "{{ 2.5|round }} {{ 3.14159|round(2) }} {{ 2.5|round(0,'ceil') }} {{ 2.7|round(0,'floor') }} {{ 7|round }} {{ 1.005|round(2) }} {{ (-5)|abs }} {{ -5.5|abs }}",
    "{{ lines|indent }}|{{ lines|indent(2, true) }}|{{ lines|indent(2, blank=true) }}|{{ lines|indent('> ') }}",
    "{{ s|truncate(5) }} {{ s|truncate(8) }} {{ 'a b c d e f g h i j'|truncate(10) }} {{ 'a b c d e f g h i j'|truncate(10, true) }} {{ 'a b c d e f g h i j'|truncate(10, false, '!', 0) }}",
    '{{ messages|tojson }}',
    '{{ messages|tojson(indent=2) }}',
    "{{ d|tojson(sort_keys=true) }} {{ d|tojson(separators=(',',':')) }} {{ u|tojson(ensure_ascii=true) }} {{ el|tojson }} {{ ed|tojson }} {{ el|tojson(indent=4) }} {{ '\\u0001\\u007f/<>&\\'' |tojson }} {{ '\U0001f600'|tojson(true) }}",
    "{{ {1: 2, 'a': none, true: 1.0}|tojson }} {{ {1:2, 'k': [1, (2,3)]} }}",
    "{{ s is string }} {{ 1 is number }} {{ 1.5 is float }} {{ 1 is integer }} {{ true is integer }} {{ true is boolean }} {{ d is mapping }} {{ l is iterable }} {{ l is sequence }} {{ s is iterable }} {{ s is sequence }} {{ d is sequence }} {{ n is none }} {{ n is not none }} {{ zz is defined }} {{ zz is undefined }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ 5 is odd }} {{ 4 is even }} {{ 6 is divisibleby 3 }} {{ 6 is divisibleby(4) }} {{ 5 is eq 5 }} {{ 5 is gt 3 }} {{ 1 is in [1] }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ n is sameas none }} {{ range is callable }} {{ zz is iterable }} {{ true is number }}",
    '{{ range(3)|list }} {{ range(1,4)|list }} {{ range(5,0,-2)|list }} {% for i in range(3) %}{{ i }}{% endfor %}',
    "{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }}",
    "{{ strftime_now('%d %b %Y %H:%M:%S %B %A %a %j %y %m %-d %I %p %%') }}",
    "{{ raise_exception('boom ' + s) }}",
    '{{ undefined_x.foo }}',
    "{{ undefined_x['a'] }}",
    '{{ undefined_x + 1 }}',
    '{{ n.foo }}|{{ 5 .foo }}|',
    '{{ n + 1 }}',
    "{{ 'a' + 1 }}",
    '{{ 1 / 0 }}',
    '{{ l.append(4) }}',
    "{{ d.update({'a':1}) }}",
    '{{ foo() }}',
    '{{ s() }}',
    "{{ 'a' < 1 }}",
    '{{ l < 1 }}',
    '{% for x in 5 %}{% endfor %}',
    '{{ 5|length }}',
    '{{ l|first(3) }}',
    '{%- if t -%}  a  {%- endif -%}  b',
    '  {% if t %}\n  x\n  {% endif %}\ny',
    'a\n  {%- if t %}\n b\n{%- endif %}\n\nc',
    '{# comment #}\nx {# c2 -#}  y',
    '{% raw %}{{ x }}{% endraw %}z',
    '  {%+ if t %}x{% endif %}',
    '{% if t +%}\nx{% endif %}',
    "a {{- ' b ' -}} c",
    'x\n\n',
    'x\r\ny\r\n',
    "{{ '\r\n'|length }}",
    '{{ "a\\nb" }}{{ \'a\\\'b\' }}{{ \'a\\x41\\u00e9\\U0001F600\\101\' }}{{ \'\\q\' }}',
    '{% if n %}a{% elif e %}b{% elif t %}c{% else %}d{% endif %}',
    "{{ 'a' 'b' }}",
    "{{ {'a': {'b': 1}}.a.b }} {{ [[1]][0][0] }} {{ (l)[0] }}",
    '{{ l|sort|first + 10 }}',
    '{{ -l[0] }} {{ +5 }} {{ - -5 }} {{ -5|abs }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}',
    '{{ not t == false }}',
    "{{ 'a' if false else 'b' if false else 'c' }}",
    "{{ messages[1].content.split('\\n')[0] }} {{ messages[2].tool_calls[0].function.arguments|tojson }} {{ messages[2]['tool_calls'][0]['function']['arguments']['b'][0] }}",
    "{{ messages|length }} {{ messages[-1].role }} {{ messages[0].foo is defined }} {{ messages[0]['role'] == 'system' }}",
    '{% set m = messages[1:] %}{% for x in m %}{{ x.role }}{{ loop.last }}{% endfor %}',
    "{% set x = messages|selectattr('role','equalto','user')|list %}{{ x[-1].content }}{{ x|length }}",
    "{% set x = messages|selectattr('role','equalto','zzz') %}{% if x %}T{% else %}F{% endif %}",
    "{% set x = l|map('string') %}{{ x|list }}{{ x|list }}",
    '{% set x = l|select %}{{ x|length }}',
    "{{ (l|map('string')).foo }}|",
    "{{ l|map('string')|first }}",
    '{{ 1_000 + 0x1F + 0b11 + 0o17 }} {{ 1e3 }} {{ 1.5e-3 }} {{ 10.50 }}',
    "{{ 'x' is string and 'y' is string }}",
    '{{ zz is not defined or zz == 1 }}',
    '{{ s is defined and s }}',
    '{% generation %}abc{% endgeneration %}',
    '{% for m in messages %}{% generation %}{% set q = 1 %}{{ m.role }}{% endgeneration %}{% endfor %}',
    '{{ loop }}',
    "{% include 'x' %}",
    '{{ s|nosuch }}',
    '{{ s is nosuch }}',
    '{% nosuch %}',
    '{% if %}',
    '{{ }}',
    '{{ a b }}',
    '{% for x in l %}',
    "{{ 'abc }}",
    '{{ (1 }}',
    '{% endif %}',
    '{% if t %}x',
    '{{ 1 ',
    '{# x',
    '{% raw %}x',
    "{{ l|join(', ') if l else 'none' }}",
    "{{ [1,2,] }} {{ (1,2,) }} {{ {'a':1,} }} {{ range(1,)|list }}",
    '{{ d.items()|list|length }}',
    '{{ l[1:2][0] }}',
    '{{ l[:] }} {{ s[:] }} {{ l[::2] }}',
    '{{ s[t] }} {{ l[true] }}',
    "{{ 'a\\\nb' }}",
    '{{ n|tojson }} {{ t|tojson }} {{ u|tojson }} {{ zz|tojson }}',
    "{{ zz ~ 'a' }} {{ zz == zy }} {{ zz in l }} {{ 1 in zz }} {{ zz|list }} {{ zz|join }} {{ zz|string }}|",
    '{% for x in zz %}{% endfor %}ok',
    '{{ big * 1000 }} {{ big }} {{ big * 10.0 }} {{ 5 // 2.0 }} {{ 10 / 4 }} {{ 10 / 5 }} {{ 3 * 1.0 }} {{ 1e16 + 1 }}',
    '{% set x = 5 %}{% if t %}{% set x = 6 %}{% endif %}{{ x }}',
    '{% for i in l %}{% set y = i %}{% endfor %}{{ y }}|',
    '{% set l = [1] %}{% for l in l %}{{ l }}{% endfor %}{{ l }}',
    '{% macro m() %}{{ s }}{{ loopvar }}{% endmacro %}{% for loopvar in l %}{{ m() }}{% endfor %}',
    '{% set v = 1 %}{% macro m() %}{{ v }}{% endmacro %}{% set v = 2 %}{{ m() }}',
    '{{ s|safe }} {',
    '{{ s | lower | upper | trim }}',
    "{{ 'abc' | upper ~ 'd' }}",
    "{{ l | map('int') | sum }}",
    "{{ ['a','b'] | map('upper') | join(', ') }}",
    '{% for a, b in [(1,2),(3,4)] %}{{ a }}{{ b }}{% endfor %}',
    '{% for (a, b) in [(1,2)] %}{{ a }}{{ b }}{% endfor %}',
    '{% for a, b in l %}{% endfor %}',
    "{{ '\xe9'|upper }}{{ '\xdf'|lower }}",
    "{{ d == {'a':2,'b':1,'C':3} }} {{ l == [3,1,2] }} {{ (1,2) == [1,2] }} {{ messages[0] == messages[0] }} {{ none == none }} {{ 'a' == 1 }}",
    'x',
    "{{ 'a' is in 'abc' }} {{ 1 is not in l }}",
    '{{ 5 is divisibleby 0 }}',
    "{{ s.split('')}}",
    '{{ s.nomethod() }}',
    '{{ s.nomethod }}|',
    '{{ messages.0.role }}',
    "{{ d|attr('b') }}|",
    "{{ s|attr('upper') is callable }}",
    "{{ '  x '|trim ~ '|' }}{{ 'xxaxx'|trim('x') }}",
    "{{ [1,'a',none,true,1.0,[],{}]|string }}",
    '{{ 1 if 2 > 1 and 3 > 2 or false else 0 }}',
    '{{ l|length > 2 }} {{ l|length - 1 }} {{ -l|length }}',
    '{%- for x in l -%} {{ x }} {%- endfor -%}',
    '\n\n{% if t %}\n\n  a\n\n{% endif %}\n\n b\n',
    '{% if t %}  \n x{% endif %}',
    '\t {% if t %}x{% endif %} \t{# c #}\nend',
    '{{ s }}\n{% if t %}{% endif %}\nz',
    '<x>{% for m in messages %}\n{{ m.role }}\n{% endfor %}</x>\n',
]

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "jinja_cases.jsonl"), "w", encoding="utf-8") as f:
    f.write(json.dumps({"vars": V}, ensure_ascii=False) + "\n")
    for source in T:
        try:
            case = {"source": source, "text": env.from_string(source).render(**V)}
        except Exception:
            case = {"source": source, "error": True}
        f.write(json.dumps(case, ensure_ascii=False) + "\n")
