#!/usr/bin/env python3
"""make_jinja_cases.py - writes jinja_cases.jsonl and jinja_families.jsonl: templates of ours with what Jinja2 makes of them.

Needs the Python package jinja2 (made with 3.1.6), set up as transformers does for chat templates. Each line is
{"source", "text"} or {"source", "error": true}; the first line is {"vars"}. In jinja_families.jsonl a line with "source" alone or
"vars" holds for those behind it. tests/unit/test_jinja.c renders all of them.
A case that hone refuses although Jinja2 renders it is not wrong, but none of these is meant to be."""
import copy
import datetime
import json
import os
import sys

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import jinja_families  # noqa: E402
import jinja_random  # noqa: E402


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

# one a line: what Jinja2 offers beyond that, or refuses
MORE = r'''
{% for x in nested recursive %}{% if x is iterable and x is not string %}<{{ loop(x) }}>{% else %}{{ x }}@{{ loop.depth }}{{ loop.depth0 }}{% endif %}{% endfor %}
{% for a in l %}{% for b in l %}{{ loop.depth }}{% endfor %}{{ loop.depth }}{% endfor %}
{% for x in l %}{{ loop }}{% endfor %}
{% for x in l %}{{ loop.index is odd }}{{ loop|length }}{% endfor %}
{% for x in l, 5 %}{{ x }}{% endfor %}
{% for x in 1,2,3 %}{{ x }}{% endfor %}
{% for x in (1,2,3) if x != 2 else %}{{ x }}{% endfor %}
{% for x in l if x > 100 %}{{ x }}{% else %}none{% endfor %}
{% for i in range(3) %}{{ loop.changed(i // 2) }}{% endfor %}
{{ range(3) }}
{{ range(1, 10, 3) }}
{{ range(5)[2] }}{{ range(5)|length }}{{ range(5)[1:3]|list }}
{{ range(5)|last }}{{ range(5)|first }}{{ range(5)|sum }}
{{ 3 in range(5) }}{{ range(3)|reverse|list }}
{{ lipsum is defined }}{{ cycler is defined }}{{ joiner is defined }}
{% set c = cycler('a','b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}
{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}
{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}
{% block b %}hi{% endblock %}
{% block b scoped %}hi{{ s }}{% endblock b %}
{% block title required %}{% endblock %}
{% set x = 1 %}{% block b %}{{ x }}{% endblock %}
{% for i in l %}{% block b %}{{ i }}{% endblock %}{% endfor %}
{% for i in l %}{% block b scoped %}{{ i }}{% endblock %}{% endfor %}
{% extends "x" %}
{% import "x" as y %}
{% from "x" import y %}
{% do l %}
{% macro m(*a) %}{% endmacro %}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1,2,x=3) }}
{% macro m(a) %}{{ a }}{{ varargs }}{% endmacro %}{{ m(1,2,3) }}
{% macro m(a) %}{{ a }}{{ kwargs }}{% endmacro %}{{ m(1,b=2) }}{{ m(a=1,c=2,b=[1]) }}
{% macro m(a) %}{{ kwargs.items()|list }}{{ varargs|length }}{% endmacro %}{{ m(1) }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}
{% macro m(a, b=a ~ 'x', c=b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}
{% macro m() %}{% if caller %}{{ caller() }}{% else %}no{% endif %}{% endmacro %}{{ m() }}{% call m() %}yes{% endcall %}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}yes{% endcall %}
{% macro m(caller=none) %}{{ caller }}{% endmacro %}{{ m() }}
{% macro m() %}{{ caller(1,2) }}{% endmacro %}{% call(a, b=5) m() %}{{ a }}{{ b }}{% endcall %}
{% macro m() %}{{ caller(1,b=3) }}{% endmacro %}{% call(a, b=5) m() %}{{ a }}{{ b }}{% endcall %}
{% macro m(x) %}{% return x %}{% endmacro %}
{% macro m() %}  a  {% endmacro %}[{{ m() }}]{{ m()|trim }}{{ m() is string }}{{ m() ~ '<' }}{{ m() + 'x' }}{{ m()|length }}
{% macro m() %}a{% endmacro %}{% macro n() %}{{ m() }}b{% endmacro %}{{ n() }}{{ n }}
{% macro m(x) %}{% if x %}{{ x[0] }}{{ m(x[1:]) }}{% endif %}{% endmacro %}{{ m('abc') }}{{ m([1,2]) }}
{% set m = 5 %}{% macro m() %}{% endmacro %}{{ m is callable }}
{{ m2() }}{% macro m2() %}x{% endmacro %}
{% if t %}{% macro m3() %}x{% endmacro %}{% endif %}{{ m3() }}
{% for i in l %}{% macro m4() %}{{ i }}{% endmacro %}{{ m4() }}{% endfor %}
{% for i in l %}{% macro m4() %}x{% endmacro %}{% endfor %}{{ m4() }}
{% macro outer() %}{% macro inner() %}i{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}
{{ '<a>&"\''|e }}|{{ '<a>'|escape }}|{{ '<a>'|forceescape }}
{{ '<a>'|e ~ '<b>' }}
{{ ('<a>'|e) + '<b>' }}
{{ '<a>'|safe ~ '<b>' }}
{{ ('<a>'|safe)|upper }}{{ ('<a>'|safe).upper() }}
{{ ('x'|safe) is string }}{{ ('a'|safe) == 'a' }}{{ ('a'|safe)[0] }}{{ ('abc'|safe)|length }}
{{ ['a'|safe, '<'] | join(',') }}
{{ 'a b&c/d'|urlencode }}{{ {'a':1,'b':'x y'}|urlencode }}
{{ 1000000|filesizeformat }} {{ 1000|filesizeformat }} {{ 12|filesizeformat }} {{ 1048576|filesizeformat(true) }} {{ 1|filesizeformat }}
{{ 'the quick brown fox jumps'|wordwrap(10) }}
{{ 'the quick brown fox jumps'|wordcount }}{{ s|wordcount }}
{{ l|slice(2)|list }} {{ range(10)|slice(3)|list }} {{ range(10)|slice(3, 'x')|list }}
{{ l|batch(2)|list }} {{ l|batch(2, 'x')|list }}
{{ 'a'|center(9) }}| {{ 'a'|center }}|
{{ l|min }}{{ l|max }}{{ names|min }}{{ names|max(case_sensitive=true) }} {{ objs|min(attribute='k') }} {{ objs|max(attribute='v') }}
{{ objs|sum(attribute='k') }} {{ l|sum(start=10) }} {{ [[1],[2]]|sum(start=[]) }}
{{ objs|groupby('k') }}
{% for g in objs|groupby('k') %}{{ g.grouper }}:{{ g.list|map(attribute='v')|join }}{% endfor %}
{% for k, g in objs|groupby('k') %}{{ k }}:{{ g|length }}{% endfor %}
{{ objs|groupby('z', default=3)|list }}
{{ objs|map(attribute='v')|list }} {{ objs|map(attribute='zz')|list }} {{ objs|map(attribute='zz', default='-')|list }}
{{ l|map('string')|join('+') }} {{ names|map('upper')|list }} {{ names|map('replace','a','b')|list }} {{ names|map('length')|list }}
{{ l|select('odd')|list }} {{ l|select('>', 1)|list }} {{ l|reject('in', [1,2])|list }} {{ l|select('divisibleby', 3)|list }}
{{ objs|selectattr('k', 'eq', 1)|map(attribute='v')|list }} {{ objs|rejectattr('k', 'eq', 1)|list }} {{ objs|selectattr('zz')|list }} {{ objs|selectattr('zz','defined')|list }}
{{ objs|selectattr('k', 'in', [1])|list|length }}{{ objs|selectattr('k', '==', 2)|first }}
{{ names|unique|list }} {{ names|unique(true)|list }} {{ objs|unique(attribute='k')|list }}
{{ names|sort(attribute=0) }} {{ objs|sort(attribute='k,v') }} {{ objs|sort(attribute='k', reverse=true) }}
{{ d|dictsort(false, 'value') }} {{ d|dictsort(reverse=true) }}
{{ 'abc'|first }}{{ 'abc'|last }}{{ [] |first }}|{{ []|last }}|{{ ''|first }}|
{{ 'abc'|reverse }}{{ l|reverse|list }}{{ 'abc'|list }}{{ d|list }}
{{ 'a,b'|replace(',', ';') }} {{ 'aaa'|replace('a','b',2) }} {{ 5|replace('5','6') }}
{{ 3.14159|round }} {{ 3.14159|round(2) }} {{ 3.5|round }} {{ 2.5|round }} {{ 3.7|round(0,'floor') }} {{ 3.2|round(0,'ceil') }} {{ 5|round }} {{ 1234|round(-2) }} {{ 1234.5|round(-2) }} {{ 1.25|round(1,'floor') }} {{ 5|round(1) }} {{ 7|round(0, 'ceil') }}
{{ '3'|int }} {{ '3.7'|int }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ '0x1F'|int(0,16) }} {{ '1f'|int(base=16) }} {{ '11'|int(base=2) }} {{ '077'|int(0,8) }} {{ 3.9|int }} {{ -3.9|int }} {{ true|int }} {{ none|int }} {{ ''|int }} {{ ' 42 '|int }} {{ '1_000'|int }} {{ '1e3'|int }} {{ 'inf'|int }} {{ 'nan'|int(7) }}
{{ '3'|float }} {{ '3.7'|float }} {{ 'x'|float }} {{ 'x'|float(5) }} {{ 3|float }} {{ none|float }} {{ '1e3'|float }} {{ 'inf'|float }} {{ 'nan'|float }} {{ '-inf'|float }} {{ '1_0.5'|float }} {{ ' 2 '|float }} {{ '.5'|float }} {{ '5.'|float }} {{ 'Infinity'|float }}
{{ n|default('x') }}|{{ n|default('x', true) }}|{{ zz|default }}|{{ zz|default(none) }}|{{ e|default('x', boolean=true) }}|{{ zz|d(5) }}
{{ s|indent }}|{{ lines|indent(2) }}|{{ lines|indent(2, true) }}|{{ lines|indent(2, blank=true) }}|{{ lines|indent('> ', true, true) }}|{{ lines|indent(width=3, first=true) }}
{{ 'hello world foo bar'|truncate(9) }} {{ 'hello world foo bar'|truncate(9, true) }} {{ 'hello world'|truncate(9, false, '..', 0) }} {{ 'hello world'|truncate(10) }}
{{ 'hello world'|title }} {{ "it's o'neil-smith (foo) [bar] <baz>"|title }} {{ 'HELLO'|title }}
{{ 'hELLO wORLD'|capitalize }} {{ 5|upper }} {{ none|lower }} {{ l|upper }}
{{ '%s' | format(1) }} {{ '%(a)s' | format(a=1) }} {{ '%s %s'|format('a','b') }} {{ '%5.1f|%-5s|%5s|%+d|%e|%g|%c|%o|%i|%%' | format(1.25,'a','b',3,12345.678,0.0001,'x',8,3) }}
{{ '%(a)s-%(b)d' % {'a':1,'b':2} }} {{ '%s' % 'x' }} {{ '%s' % [1] }} {{ '%s' % (1,) }} {{ '%a' % 'é' }} {{ '%.3s' % 'abcdef' }} {{ '%*d' % (5, 3) }} {{ '%X %#x %#o' % (255,255,8) }} {{ '%G' % 1e-10 }} {{ '%F' % 1.5 }} {{ '%u' % 3 }} {{ '%5%' % () }}
{{ '%d' % 3.7 }} {{ '%d' % true }} {{ '%s' % none }} {{ '%s' % true }} {{ '%s' % {'a':1} }} {{ '% d' % 5 }}
{{ d is mapping }}{{ l is mapping }}{{ l is sequence }}{{ s is sequence }}{{ s is iterable }}{{ 5 is iterable }}{{ zz is iterable }}{{ none is none }}{{ 5 is number }}{{ true is number }}{{ true is integer }}{{ 5.0 is float }}{{ 5 is integer }}{{ true is boolean }}{{ true is true }}{{ 1 is true }}
{{ s is escaped }}{{ 'upper' is filter }}{{ 'nosuch' is filter }}{{ 'odd' is test }}{{ 'nosuch' is test }}
{{ 'A' is upper }}{{ 'a' is lower }}{{ 3 is odd }}{{ 4 is even }}{{ 4 is divisibleby(2) }}{{ 4 is divisibleby 2 }}{{ 3 is eq 3 }}{{ 3 is equalto 3 }}{{ 3 is ne 4 }}{{ 3 is lt 4 }}{{ 3 is lessthan 4 }}{{ 3 is le 3 }}{{ 3 is gt 2 }}{{ 3 is greaterthan 2 }}{{ 3 is ge 3 }}{{ 3 is in [3] }}{{ 'a' is in 'abc' }}
{{ 3.0 is odd }}{{ 5.5 is even }}{{ 'a' is callable }}{{ range is callable }}{{ 'upper' is callable }}
{{ l is not none }}{{ l is not mapping and s is string }}{{ not l is mapping }}{{ zz is undefined }}
{{ 5 is not divisibleby 2 }}{{ 6 is divisibleby 2 and 6 is divisibleby 3 }}
{{ l[::-1] }}{{ l[::2] }}{{ l[-2:] }}{{ l[:-1] }}{{ l[2:0:-1] }}{{ l[5:1:-2] }}{{ 'hello'[::-2] }}{{ (1,2,3)[::-1] }}{{ l[none:2] }}{{ l[1:none] }}{{ 'abc'[1:] }}{{ 'abc'[-1:] }}{{ 'abc'[:100] }}
{{ messages[::-1]|map(attribute='role')|list }}{{ messages[1:][0].role }}
{{ l[1:][0] }}{{ l[(1)] }}{{ l['1'] }}|{{ l[1.0] }}|{{ d[none] }}|{{ d[1] }}|{{ s['x'] }}|{{ l['x'] }}|{{ n['x'] }}|{{ 5['x'] }}|
{{ l.0 }}{{ l.1 }}{{ d['b'] }}{{ d.b }}{{ nested.0.1 }}
{{ 'a b c'.split(' ', 1) }}{{ 'a b c'.split(maxsplit=1) }}{{ 'a b c'.rsplit(maxsplit=1) }}{{ 'a  b '.split(' ') }}{{ 'a b c'.rsplit(none, 1) }}{{ 'a,b,c'.split(sep=',', maxsplit=1) }}{{ 'abc'.split('x') }}{{ '\n a \n'.split('\n') }}
{{ 'xxabcxx'.strip('x') }}{{ 'xxabcxx'.lstrip('x') }}{{ 'xxabcxx'.rstrip('x') }}{{ '\n a \n'.strip('\n') }}|{{ 'abc'.strip('') }}{{ 'abc'.strip(none) }}
{{ 'abc'.startswith('b', 1) }}{{ 'abc'.startswith('a', 1) }}{{ 'abc'.endswith('b', 0, 2) }}{{ 'abc'.endswith(('x','c')) }}{{ 'abc'.startswith(()) }}{{ 'abc'.find('c', 1) }}{{ 'abcabc'.find('a', 1, 3) }}{{ 'abcabc'.rfind('a', 0, 3) }}{{ 'abcabc'.count('a', 1) }}{{ 'abcabc'.index('b', 2) }}
{{ 'a{}b{x}'.format(1, x=2) }}{{ '{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}|{:+}|{:e}|{:%}'.format('a','b','c',42,3.14159,1234567,255,5,12345.6789,0.5) }}
{{ '{0[a]} {1.x} {0!r} {0!s}'.format({'a':1}, {'x':2}) }}
{{ '{:5}|{:5}|{!r:>6}'.format(1, 'a', 'b') }}{{ '{:{}}'.format('a', 5) }}{{ '{:_}'.format(1000000) }}{{ '{:.3}'.format('abcdef') }}{{ '{:b} {:o} {:#x} {:X}'.format(5, 8, 255, 255) }}{{ '{:g}'.format(0.1) }}{{ '{:.3g}'.format(1234.5) }}{{ '{:*^9}'.format('mid') }}{{ '{: d}'.format(5) }}{{ '{:c}'.format(97) }}{{ '{:n}'.format(5) }}{{ '{:.1%}'.format(0.256) }}{{ '{:.0f}'.format(2.5) }}{{ '{:10.3f}|'.format(3.14159) }}{{ '{:<10,.2f}|'.format(12345.678) }}
{{ '{a[b]}'.format(a={'b':5}) }}{{ '{a.b}'.format(a={'b':5}) }}
{{ 'x'.join(l|map('string')) }}{{ ','.join('abc') }}{{ ','.join(d) }}{{ ','.join(l) }}
{{ d.items() }}{{ d.keys() }}{{ d.values() }}
{{ d.items()|list }}{{ d.items()|length }}{{ d.keys()|first }}{{ d.values()|sum }}{{ 'b' in d.keys() }}{{ 2 in d.values() }}
{{ d.keys()|join(',') }}{{ d.items()|map('first')|list }}{{ d.items()|map('last')|list }}{{ d.keys() | sort }}
{{ d.get('x', 'y') }}{{ d.get('b', default=3) }}{{ d.pop('a') }}
{{ l.append(1) }}
{{ l.index(1) }}{{ l.count(3) }}{{ l.copy() }}{{ d.copy() }}{{ [1,2].index(2, 1) }}{{ (1,2).index(1) }}
{{ l.pop() }}
{{ d.__class__ }}|{{ s.__len__ }}|{{ s._x }}|{{ ''.__class__.__mro__ }}
{{ d|attr('__class__') }}|{{ d|attr('items') is callable }}
{{ dict(a=1, b=2) }}{{ dict(d, z=1) }}{{ dict([('a',1)]) }}{{ dict() }}{{ dict(d.items()) }}{{ dict({'a':1}, **{'b':2}) }}
{{ namespace(a=1) }}
{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b is defined }}{{ ns['a'] }}
{% set ns = namespace(l=[]) %}{% for x in l %}{% set ns.l = ns.l + [x] %}{% endfor %}{{ ns.l }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}
{% set ns = {'a':1} %}{% set ns.a = 2 %}
{{ 7 // -2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 / 3 }} {{ 10 / 5 }} {{ 1e308 * 10 }} {{ -1e308 * 10 }} {{ 0.1 + 0.2 }} {{ 1e16 }} {{ 123456789012345678 }} {{ 1.0 }} {{ 1e-5 }} {{ 100000000000000000.0 }}
{{ 1 == 1.0 }}{{ '1' == 1 }}{{ none == false }}{{ [] == () }}{{ {} == {} }}{{ true + 1 }}{{ true == 1 }}{{ 'a' < 'b' }}{{ [1,2] < [1,3] }}{{ (1,) < (1,2) }}{{ 1 < 2.5 }}{{ none < 1 }}
{{ 1 if 0 else 2 if 0 else 3 }}{{ (1 if 0) is defined }}{{ (1 if 0) }}|{{ 'a' if zz else 'b' }}
{{ 1 ~ 2 ~ 'a' ~ none ~ 1.5 ~ [1] }}{{ zz ~ 'a' }}{{ 'a' ~ -1 }}{{ 1 + 2 ~ 3 * 4 }}{{ 'a' ~ 'b' | upper }}
{{ not 1 == 2 }}{{ not not 1 }}{{ 1 and 0 or 2 }}{{ 1 or zz.foo }}{{ 0 and zz.foo }}{{ (0 or none) is none }}
{{ 1 < 2 < 3 > 2 != 5 }}{{ 1 in [1] == true }}{{ 'a' in 'abc' in ['abc'] }}{{ 1 not in [2] }}{{ not 1 in [2] }}
{{ [1, 2, 3,] }}{{ (1, 2,) }}{{ {'a': 1,} }}{{ {1: 2, 'a': [1], (1,2): 3, none: 4, true: 5} }}
{{ true }}{{ True }}{{ TRUE }}|{{ none }}{{ None }}{{ NONE }}|{{ false }}{{ False }}
{{ 1_000 }}{{ 0x1f }}{{ 0b101 }}{{ 0o17 }}{{ 1e3 }}{{ 1.5e3 }}{{ 1E-2 }}{{ 0.5 }}{{ .5 }}
{{ 5.5.foo }}|{{ 1.e3 }}
{{ s|tojson }}{{ d|tojson }}{{ d|tojson(indent=2) }}{{ nested|tojson(indent=4) }}{{ [1.0, 1e20, none, true, 'é', '<>&\'"']|tojson }}{{ d|tojson(ensure_ascii=true) }}{{ 'é'|tojson(ensure_ascii=true) }}{{ d|tojson(sort_keys=true) }}{{ d|tojson(separators=(',', ':')) }}{{ d|tojson(none, '  ') }}{{ []|tojson(indent=2) }}{{ {}|tojson(indent=2) }}{{ [[]]|tojson(indent=2) }}{{ d|tojson(indent='\t') }}{{ d|tojson(indent=0) }}
{{ {1:2, none:3, true:4, 1.5:6}|tojson }}{{ (1,2)|tojson }}{{ 'a\x01\x7f\u2028'|tojson }}{{ zz|tojson }}
{{ (1.0/3)|tojson }}{{ 1e400|tojson }}{{ '\U0001F600'|tojson(ensure_ascii=true) }}{{ l|map('string')|tojson }}
{{ {(1,2):3}|tojson }}
{{ messages|tojson }}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%B %d, %Y %H:%M:%S %p %j %a %A %y %I %-d %-m') }} {{ strftime_now('%c|%x|%X|%U|%W|%w|%Z|%z|%f|%D|%R|%r|%h|%e|%n|%t|%u|%V|%G|%C|%s|%k|%l|%P|%%') }}
{{ strftime_now() }}
{{ raise_exception('x' ~ 1) }}
{{ raise_exception() }}
{% set a, b = [1, 2] %}{{ a }}{{ b }}{% set (c, d2) = (3, 4) %}{{ c }}{{ d2 }}{% set [e1, f1] = [1,2] %}
{% set a = b = 1 %}
{% set a = 1, 2 %}{{ a }}{% set a = () %}{{ a }}
{% set x = 'a' if t else 'b' %}{{ x }}{% set y = namespace(z=1) if t else none %}{{ y.z }}
{% set x %}  a {{ l }} {% endset %}[{{ x }}]{{ x is string }}{{ x ~ '<' }}{{ x|tojson }}
{% set x | trim | upper %} a {% endset %}[{{ x }}]
{% set ns = namespace() %}{% set ns.x %}abc{% endset %}{{ ns.x }}
{% filter upper | trim %} a {{ s }} {% endfilter %}
{% filter replace('a','b') %}aaa{% endfilter %}{% filter indent(2) %}a
b{% endfilter %}
{% with %}{% set q9 = 1 %}{{ q9 }}{% endwith %}{{ q9 }}
{% with a = 1 %}{% with b = a + 1 %}{{ a }}{{ b }}{% endwith %}{% endwith %}
{% with a = 1, b = a %}{{ b }}{% endwith %}
{% raw %}{{ x }}{% raw %}{% endraw %}
{%- raw -%} {{ x }} {%- endraw -%} z
{# a {# b #} c #}
{#- x -#}  y  {#- z #}
{% if t -%} a {%- else -%} b {%- endif %} c
a {{- s -}} b
{%- set x = 1 -%}
{{ l | length > 2 and s | length < 20 }}
{{ (l | length) / 2 }}{{ l|length + 1 }}{{ -l|length }}{{ -l|first|abs }}
{{ not l|length == 3 }}{{ l|length is odd }}{{ l|first is odd }}
{{ s.lower().split(',')[0].strip() }}{{ s[0].upper() }}{{ ('a' ~ 'b').upper() }}{{ (l + [4])[-1] }}{{ [1,2][0] }}{{ {'a':1}['a'] }}{{ 'abc'.upper()[0] }}{{ "%s" % s.upper() }}
{{ messages[0].content | trim | length }}{{ messages[0]['content'] + '\n' }}{{ messages[1].content.split('\n') | first }}
{{ messages | map(attribute='role') | unique | list }}{{ messages | selectattr('role','equalto','user') | map(attribute='content') | first }}
{{ messages | selectattr('tool_calls', 'defined') | list | length }}{{ messages|map(attribute='tool_calls.0.function.name')|list }}
{{ messages|map('attr','role')|list }}{{ messages|map(attribute='role')|map('upper')|join(' ') }}{{ messages|groupby('role')|map('first')|list }}
{% for m in messages if m.role != 'system' %}{{ loop.index0 }}{{ m.role }}{{ loop.previtem.role if loop.previtem is defined }}{{ loop.nextitem.role if not loop.last }}{% endfor %}
{% for m in messages|rejectattr('role','equalto','system') %}{{ loop.index }}{{ loop.length }}{{ loop.revindex }}{{ loop.last }}{% endfor %}
{% for k, v in d|dictsort %}{{ k }}{{ v }}{% endfor %}{% for k, v in d|items %}{{ k }}{% endfor %}{% for i, x in enumerate(l) %}{% endfor %}
{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }}{% else %}E{% endfor %}{% endfor %}
{% for x in l %}{% break %}{% else %}E{% endfor %}
{% for x in l %}{{ x }}{% continue %}z{% endfor %}
{% for a, (b, c) in [(1,(2,3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for x in 'abc' %}{{ loop.index }}{{ x }}{% endfor %}{% for x in {} %}{% else %}E{% endfor %}
{% for item in d %}{{ item }}={{ d[item] }}{% if not loop.last %},{% endif %}{% endfor %}
{% for x in l|sort|reverse %}{{ x }}{{ loop.last }}{% endfor %}
{% for x in none %}{% endfor %}
{{ ''.join(['a', 1]) }}
{{ 'a'.center(5) }}|{{ 'a'.ljust(5,'-') }}|{{ '-5'.zfill(5) }}{{ '+5'.zfill(5) }}{{ 'abc'.zfill(2) }}
{{ s is defined }}{{ s.foo is defined }}{{ s.foo.bar is defined }}
{{ zz.foo }}
{{ zz['foo'] }}
{{ zz[0] }}
{{ zz() }}
{{ zz + 1 }}
{{ -zz }}
{{ zz|length }}{{ zz|trim }}{{ zz|upper }}{{ zz|first }}|{{ zz|int }}{{ zz|default('a') }}{{ zz == none }}{{ zz is none }}{{ not zz }}{{ zz|list }}{{ zz|sort }}{{ zz|join(',') }}{{ zz|map('upper')|list }}
{{ zz.split }}
{{ none.foo }}|{{ none.foo is defined }}|{{ none|trim }}|{{ none|length }}
{{ none|trim }}|{{ none ~ 'a' }}
{{ none + 'a' }}
{{ 'a' + none }}
{{ 'a' + zz }}
{{ 'a' in none }}
{{ 'a' in zz }}
{{ 1 in 'abc' }}
{{ [1,2] - [1] }}
{{ {} + {} }}
{{ 'abc' - 'a' }}
{{ 5 % 0 }}
{{ 5 // 0 }}
{{ 'x' * -1 }}|{{ [1] * 0 }}
{{ 'abc'[5] }}|{{ 'abc'[-5] }}|{{ [][0] }}|
{{ l.foo() }}
{{ [1,2,3]|join(', ', 'x') }}
{{ super() }}
{{ varargs }}|{{ kwargs }}|{{ caller }}
{{ messages|first|items|list }}{{ messages[0].items()|list }}{{ messages[0].keys()|list }}
{{ [3,1,2]|sort(reverse=True)|list }}{{ ['b','A','c']|sort }}{{ ['b','A','c']|sort(case_sensitive=True) }}{{ [1,'a']|sort }}
{{ 'x' ~ loop.index }}
{{ ['x','y']|map('upper')|join|lower }}{{ 'abc'|map('upper')|list }}{{ ['a b','c']|map('split')|list }}
{{ l | string }}{{ d|string|length }}{{ 1.0|string }}{{ none|string }}{{ true|string }}
{{ l is sequence and l is not string and l is not mapping }}{{ (1,2) is sequence }}{{ d.items() is sequence }}{{ d.items() is iterable }}{{ l|map('upper') is iterable }}{{ l|map('upper') is sequence }}{{ range(3) is mapping }}
{{ 'a' if messages|length > 1 and messages[0]['role'] == 'system' else 'b' }}
{{ "a" | replace("a", "<") | safe }}{{ '\\n' | replace('\\n', '\n') }}
{{ 'a\nb'|replace('\n', ' ') }}{{ 'abc' | list | join('-') }}{{ 'a-b'|replace('-', '')|upper }}
{{ {'a':1,'b':none}.values()|select('none')|list }}{{ [1,none,2]|select|list }}{{ [0,1]|reject|list }}{{ ['', 'a']|select('string')|list }}
{{ [{'a':{'b':1}}]|map(attribute='a.b')|list }}{{ [[1,2],[3,4]]|map(attribute=1)|list }}{{ [[1,2],[3,4]]|map('last')|list }}{{ [[1,2],[3,4]]|map('sum')|list }}{{ [(1,'a')]|map(attribute='1')|list }}
{{ ('a', 'b') | join }}{{ ('a','b')|last }}{{ ('a','b')|length }}{{ ('a','b')|tojson }}{{ ('a',)|list }}{{ (('a',1),('b',2))|list }}
{{ dict(a=1)|tojson }}{{ namespace(a=1)|tojson }}
{% set _ = 1 %}{{ _ }}{% set _x, y = 1, 2 %}{{ _x }}
{%set x=1%}{{x}}{%if x==1%}a{%elif x==2%}b{%else%}c{%endif%}
{% set content = messages[0]['content'] %}{% if content is string %}{{ content }}{% else %}{% for c in content %}{{ c }}{% endfor %}{% endif %}
{{ "a" if x is defined and x else "b" }}{{ x9.y if x9 is defined else 'c' }}
{{ ["a", "b"] is sequence }}{{ "abc" is sequence }}{{ 1 is sequence }}
{{ url_for is defined }}{{ 'a' is eq('a') }}{{ 'a' is in(['a']) }}{{ 'a' is not in ['a'] }}{{ 5 is gt(3) and 5 is lt(10) }}
{{ foo if foo is defined else "d" }}{{ (foo or "d")|upper }}{{ foo|default(s, true)|upper }}
{{ range(3) is iterable }}
{{ range(3) is sequence }}
{{ '<' }}
{{ '<' }}
{{ a }}
{{ n is sameas none }}
{{ l is sameas l }}
{{ t is sameas true }}
{{ 1 is sameas true }}
{{ 'a\tb'.expandtabs(4) }}
{{ 'ABC'.casefold() }}
{{ 'abc'.isidentifier() }}
{{ 'Abc Def'.istitle() }}
{{ 'abc'.isprintable() }}
{{ 'a\n'.isprintable() }}
{{ 2 ** 3 ** 2 }}
{{ -2 ** 2 }}
{{ 2 ** -1 }}
{{ 2 ** 0.5 }}
{{ 'a' 'b' "c" }}
{{ 'tab\there' }}
{{ 'q\'q' }}
{{ "d\"d" }}
{{ 'nl\\n' }}
{{ '\u00e9' }}
{{ '\x41' }}
{{ '\z' }}
{{ 1.5.is_integer() }}
{{ {'a':1}|items|list }}
{{ {'items':1}['items'] }}
'''.strip("\n").split("\n")


def hidden(case):
    """Addresses of objects are never the same; \u00df has two capitals, which hone refuses."""
    return " object at 0x" in case["text"] or "SS" in case["text"]


here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "jinja_cases.jsonl"), "w", encoding="utf-8") as f:
    f.write(json.dumps({"vars": V}, ensure_ascii=False) + "\n")
    for number, source in enumerate(T + MORE + jinja_random.make_up(20261122, 2500)):
        try:
            case = {"source": source, "text": env.from_string(source).render(**copy.deepcopy(V))}
        except Exception:
            case = {"source": source, "error": True}
        made_up = number >= len(T + MORE)
        if made_up and (len(case.get("text", "")) not in range(1, 300) or len(source) > 300 or hidden(case)):
            continue
        f.write(json.dumps(case, ensure_ascii=False) + "\n")

with open(os.path.join(here, "jinja_families.jsonl"), "w", encoding="utf-8") as f:
    for source in jinja_families.FAMILIES:
        f.write(json.dumps({"source": source}, ensure_ascii=False) + "\n")
        for number, (name, talk) in enumerate(jinja_families.TALKS.items()):
            for tools in None, jinja_families.TOOLS:
                more = [{}, {"enable_thinking": False}, {"builtin_tools": ["get_weather", "code_interpreter"], "documents": [{"title": "t"}]}]
                case = {"vars": dict(messages=talk, tools=tools, add_generation_prompt=number % 2 == 0, bos_token="<s>", eos_token="</s>",
                                     **more[(number + (tools is not None)) % 3])}
                try:
                    case["text"] = env.from_string(source).render(**copy.deepcopy(case["vars"]))
                except Exception:
                    case["error"] = True
                f.write(json.dumps(case, ensure_ascii=False) + "\n")
