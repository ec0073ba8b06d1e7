#!/usr/bin/env python3
"""jinja_random.py - made-up templates: expressions over the variables of make_jinja_cases.py, statements with every way of
white-space control. make_up(seed, n) gives n of them, always the same."""
import random

R = random.Random()
names=['l','d','s','u','f','i','t','n','e','el','ed','nested','ws','q','lines','names','objs','messages','zz','z','fl','keys']
consts=["'a'","'abc'","''","'o'","', '","' '","'\\n'","1","2","0","-1","3.5","true","none","[]","[1,2]","{}","(1,2)","'role'","'content'","'k'","'v'","'x'"]
def c(): return R.choice(consts)
def small(): return R.choice(["0","1","2","-1","3","none","5"])
def strs(): return R.choice(["s","u","ws","q","lines","'a-b-c'","e","messages[1].content","names[0]","'Hello'"])
filters=["abs","capitalize","default('x')","default('x',true)","dictsort","first","float","int","join","join(', ')","last","length","list","lower","max","min","map('upper')|list","map('length')|list","map(attribute='k')|list","map(attribute='role')|join(',')","reject('none')|list","rejectattr('k','eq',1)|list","replace('l','L')","reverse|list","reverse","round","round(1)","select('string')|list","select|list","selectattr('k')|list","selectattr('role','equalto','user')|list","sort","sort(reverse=true)","sort(attribute='k')","string","sum","title","tojson","tojson(indent=2)","trim","unique|list","upper","wordcount","indent","indent(2,true)","batch(2)|list","slice(2)|list","center(9)","truncate(8)","count","groupby('k')|list","format(1)","e","escape","safe","string|length","attr('role')","d(5)"]
tests=["defined","undefined","none","string","number","mapping","iterable","sequence","odd","even","boolean","integer","float","true","false","upper","lower","callable","divisibleby(2)","eq(1)","ne 'a'","in l","gt 1","lt(2)","sameas none","escaped","equalto('a')"]
methods=["upper()","lower()","strip()","lstrip()","rstrip()","split()","split(' ')","split('o',1)","rsplit('o',1)","rsplit(none,1)","title()","capitalize()","startswith('H')","endswith(('d','x'))","replace('o','0')","replace('l','L',1)","find('o')","rfind('o')","count('l')","splitlines()","join(['a','b'])","isdigit()","isalpha()","isalnum()","isupper()","islower()","istitle()","isspace()","swapcase()","zfill(8)","center(15,'*')","ljust(8)","rjust(8)","partition('o')","rpartition('-')","removeprefix('He')","removesuffix('ld')","get('b')","get('zz', 1)","items()","keys()","values()","items()|list","index(1)","count(1)","expandtabs()","format(1)","strip('Hd')","find('l', 3)","startswith('l', 2)","isidentifier()","isprintable()"]
ops=['+','-','*','/','//','%','**','~','and','or','==','!=','<','>','<=','>=','in','not in']
def expr(dep):
    k=R.random()
    if dep<=0 or k<.2: return R.choice(names) if R.random()<.65 else c()
    if k<.38: return f"{expr(dep-1)}|{R.choice(filters)}" if R.random()<.7 else f"({expr(dep-1)})|{R.choice(filters)}"
    if k<.5: return f"{R.choice([strs(),expr(dep-1) if R.random()<.2 else strs()])}.{R.choice(methods)}"
    if k<.62:
        o=R.choice(ops)
        return f"{expr(dep-1)} {o} {expr(dep-1)}" if o!='**' else f"{R.choice(['2','i','3.0'])} ** {small().replace('none','2')}"
    if k<.7: return f"{expr(dep-1)} is {R.choice(['','not '])}{R.choice(tests)}"
    if k<.76: return f"({R.choice([strs(), 'l', 'names', '(1, 2, 3)', 'nested'])})[{R.choice([small(),small()+':',':'+small(),small()+':'+small(),'::-1','::2',c(),small()+':'+small()+':'+R.choice(['-1','2','-2'])])}]"
    if k<.82: return f"({expr(dep-1)} if {expr(dep-1)} else {expr(dep-1)})" if R.random()<.8 else f"({expr(dep-1)} if {expr(dep-1)})"
    if k<.86: return f"[{expr(dep-1)}, {expr(dep-1)}]"
    if k<.88: return "{'a': %s, 'k': %s}"%(expr(dep-1),expr(dep-1))
    if k<.9: return f"({expr(dep-1)},)"
    if k<.93: return f"not {expr(dep-1)}"
    if k<.95: return f"-{expr(dep-1)}"
    if k<.97: return f"({expr(dep-1)}).{R.choice(['role','content','k','0','items','foo','tool_calls'])}"
    return f"'{R.choice(['%s','%d','%5s|','%.2f','%r','%-6s|','%03d','a%%b%s','{}'])}' % {expr(dep-1)}" if R.random()<.5 else f"'{R.choice(['{}','{:>6}','{!r}','{0}{0}','{:.2f}','{:<5}|','{:03d}','{:,}'])}'.format({expr(dep-1)})"
def ws(): return R.choice(['','','',' ','\n','  \n ','\n\n','\t'])
def tag(x):
    return '{%'+R.choice(['','','-','+','-'])+' '+x+' '+R.choice(['','','-','+','-'])+'%}'
def out(x): return '{{'+R.choice(['','','','-'])+' '+x+' '+R.choice(['','','','-'])+'}}'
def stmt(dep):
    k=R.random()
    if dep<=0 or k<.25: return ws()+out(expr(2))+ws()
    if k<.35: return ws()+R.choice(['a','<b>','é',' x ','\n','{','}','# c'])+ws()
    if k<.5: return ws()+tag('if '+expr(2))+body(dep-1)+(tag('elif '+expr(1))+body(dep-1) if R.random()<.3 else '')+(tag('else')+body(dep-1) if R.random()<.5 else '')+tag('endif')+ws()
    if k<.7:
        t=R.choice(['x','x','k, v','a, b'])
        it=R.choice(['l','messages','d.items()','d','nested','objs','names','[1,2,3]','range(3)','s','el','[(1,2),(3,4)]','d|dictsort',"messages|selectattr('role','equalto','user')",'l|reverse','objs|map(attribute="v")','zz'])
        b=body(dep-1)+R.choice(['',out("loop."+R.choice(['index','index0','first','last','length','revindex','revindex0','previtem','nextitem','depth','depth0',"cycle('a','b')",'changed(x)'])), tag('break'),tag('if loop.first')+tag('continue')+tag('endif'),tag('if loop.index > 1')+tag('break')+tag('endif')])+R.choice(['',out('x'),out('v')])
        return ws()+tag(f'for {t} in {it}'+(f' if {expr(1)}' if R.random()<.2 else ''))+b+(tag('else')+body(dep-1) if R.random()<.3 else '')+tag('endfor')+ws()
    if k<.78: return ws()+tag('set '+R.choice(['x','y','l','ns.a','a, b'])+' = '+expr(2))+ws()
    if k<.83: return ws()+tag('set '+R.choice(['x','y'])+R.choice(['',' | upper',' | trim']))+body(dep-1)+tag('endset')+ws()
    if k<.88: return ws()+tag('macro '+R.choice(['m(a)','m(a, b=2)',"g(x, y='q')",'m()']))+body(dep-1)+R.choice(['',out('a'),out('b'),out('caller()'),out('varargs'),out('kwargs')])+tag('endmacro')+R.choice(['',out('m(1)'),out('m(1, 2)'),out('m()'),out('m(a=3)'),out("g('z')"),out('m(1)|upper'),tag('call m()')+'in'+tag('endcall')])+ws()
    if k<.91: return ws()+tag('set ns = namespace('+R.choice(['','a=1','a=[]'])+')')+ws()+tag('set ns.a = '+expr(1))+out('ns.a')
    if k<.93: return ws()+'{#'+R.choice(['','-'])+' c '+R.choice(['','-'])+'#}'+ws()
    if k<.95: return ws()+tag('filter '+R.choice(['upper','trim','indent(2)',"replace('a','b')"]))+body(dep-1)+tag('endfilter')
    if k<.97: return ws()+tag('with '+R.choice(['a = 1','x = '+expr(1)]))+body(dep-1)+tag('endwith')
    if k<.98: return ws()+tag('raw')+'{{ x }}'+tag('endraw')+ws()
    return ws()+tag('generation')+body(dep-1)+tag('endgeneration')
def body(dep): return ''.join(stmt(dep) for _ in range(R.randint(0,3)))


def make_up(seed, n):
    R.seed(seed)
    return ["{{ " + expr(R.randint(1, 4)) + " }}" if R.random() < .5 else body(R.randint(1, 3)) for _ in range(n)]
