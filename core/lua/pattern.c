/* pattern.c - Lua patterns with a step budget: string.find, match, gmatch, gsub.
 *
 * Lua's own matcher runs as one C call, where no hook fires: a pattern like ("a-"):rep(20) over a long text
 * keeps it for hours. This one charges the guard for every step. The language is the manual's (5.4, section
 * 6.4.1), classes are those of the C locale whatever the locale is.
 *
 * Key idea: a recursive matcher over (subject position, pattern position) that returns the end of the
 * match or NULL; simple items without captures loop instead of recursing, so depth grows only with
 * captures and alternatives of greedy items, and is limited. Source: Lua 5.4 reference manual. */
#include "lua/state_private.h"

#include <string.h>

enum { CAPTURES = 32, DEPTH = 200, BATCH = 1024 };
enum { OPEN = -1, POSITION = -2 };

struct capture {
    const char *at;
    ptrdiff_t len; /* or OPEN, POSITION */
};

struct matcher {
    lua_State *L;
    const char *text, *end; /* subject */
    const char *pattern, *p_end;
    int depth, n_captures;
    unsigned steps;
    struct capture captures[CAPTURES];
};

static void step(struct matcher *m)
{
    if (++m->steps >= BATCH) {
        m->steps = 0;
        hone_lua_charge(m->L, BATCH);
    }
}

/* ---- one character ----------------------------------------------------------------------------- */

static int is_class(unsigned char c, int class)
{
    int lower = class | 0x20, in;
    switch (lower) {
    case 'a':
        in = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        break;
    case 'c':
        in = c < 32 || c == 127;
        break;
    case 'd':
        in = c >= '0' && c <= '9';
        break;
    case 'g':
        in = c > 32 && c < 127;
        break;
    case 'l':
        in = c >= 'a' && c <= 'z';
        break;
    case 'p':
        in = (c > 32 && c < 48) || (c > 57 && c < 65) || (c > 90 && c < 97) || (c > 122 && c < 127);
        break;
    case 's':
        in = c == ' ' || (c >= 9 && c <= 13);
        break;
    case 'u':
        in = c >= 'A' && c <= 'Z';
        break;
    case 'w':
        in = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        break;
    case 'x':
        in = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
        break;
    case 'z':
        in = c == 0;
        break; /* old, but the manual's own examples used it for years */
    default:
        return class == c; /* an escaped character */
    }
    return class == lower ? in : !in;
}

/* Past the item that begins at p: a character, %x, or a set. */
static const char *item_end(struct matcher *m, const char *p)
{
    if (*p == '%') {
        if (p + 1 >= m->p_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p != '[')
        return p + 1;
    const char *q = p + 1;
    if (q < m->p_end && *q == '^')
        q++;
    for (int first = 1;; first = 0) {
        if (q >= m->p_end)
            luaL_error(m->L, "malformed pattern (missing ']')");
        if (*q == ']' && !first)
            return q + 1;
        if (*q == '%') {
            if (q + 1 >= m->p_end)
                luaL_error(m->L, "malformed pattern (missing ']')");
            q++;
        }
        q++;
    }
}

/* Is c in the set [p, e), which begins with "[" and ends with "]"? */
static int in_set(unsigned char c, const char *p, const char *e)
{
    int yes = 1;
    p++;
    e--;
    if (p < e && *p == '^') {
        yes = 0;
        p++;
    }
    while (p < e) {
        if (*p == '%' && p + 1 < e) {
            if (is_class(c, (unsigned char)p[1]))
                return yes;
            p += 2;
        } else if (p + 2 < e && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return yes;
            p += 3;
        } else {
            if ((unsigned char)*p == c)
                return yes;
            p++;
        }
    }
    return !yes;
}

static int fits(struct matcher *m, const char *s, const char *p, const char *e)
{
    if (s >= m->end)
        return 0;
    unsigned char c = (unsigned char)*s;
    if (*p == '.')
        return 1;
    if (*p == '%')
        return is_class(c, (unsigned char)p[1]);
    if (*p == '[')
        return in_set(c, p, e);
    return (unsigned char)*p == c;
}

/* ---- the matcher ------------------------------------------------------------------------------- */

static const char *match(struct matcher *m, const char *s, const char *p);

static const char *match_capture(struct matcher *m, const char *s, const char *p, ptrdiff_t kind)
{
    if (m->n_captures >= CAPTURES)
        luaL_error(m->L, "too many captures");
    m->captures[m->n_captures].at = s;
    m->captures[m->n_captures].len = kind;
    m->n_captures++;
    const char *r = match(m, s, p);
    if (!r)
        m->n_captures--;
    return r;
}

static const char *close_capture(struct matcher *m, const char *s, const char *p)
{
    int i = m->n_captures - 1;
    while (i >= 0 && m->captures[i].len != OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->captures[i].len = s - m->captures[i].at;
    const char *r = match(m, s, p);
    if (!r)
        m->captures[i].len = OPEN;
    return r;
}

static const char *match_balance(struct matcher *m, const char *s, const char *p)
{
    if (p + 1 >= m->p_end)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->end || *s != *p)
        return NULL;
    int open = *p, close = p[1];
    ptrdiff_t deep = 1;
    for (const char *q = s + 1; q < m->end; q++) {
        step(m);
        if (*q == close) {
            if (--deep == 0)
                return q + 1;
        } else if (*q == open) {
            deep++;
        }
    }
    return NULL;
}

static const char *match_again(struct matcher *m, const char *s, int digit)
{
    int i = digit - '1';
    if (i < 0 || i >= m->n_captures || m->captures[i].len == OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    if (m->captures[i].len == POSITION)
        return NULL;
    size_t n = (size_t)m->captures[i].len;
    hone_lua_charge(m->L, n / 64);
    return (size_t)(m->end - s) >= n && memcmp(m->captures[i].at, s, n) == 0 ? s + n : NULL;
}

static const char *match_frontier(struct matcher *m, const char *s, const char *p, const char *e)
{
    unsigned char before = s == m->text ? 0 : (unsigned char)s[-1],
                  after = s < m->end ? (unsigned char)*s : 0;
    return !in_set(before, p, e) && in_set(after, p, e) ? s : NULL;
}

/* The longest run of an item, then shorter and shorter until the rest fits. */
static const char *match_greedy(struct matcher *m, const char *s, const char *p, const char *e,
                                ptrdiff_t least)
{
    ptrdiff_t n = 0;
    while (fits(m, s + n, p, e)) {
        step(m);
        n++;
    }
    for (; n >= least; n--) {
        step(m);
        const char *r = match(m, s + n, e + 1);
        if (r)
            return r;
    }
    return NULL;
}

static const char *match_lazy(struct matcher *m, const char *s, const char *p, const char *e)
{
    for (;;) {
        step(m);
        const char *r = match(m, s, e + 1);
        if (r)
            return r;
        if (!fits(m, s, p, e))
            return NULL;
        s++;
    }
}

/* The rest of the pattern from p at s: the end of the match, or NULL. */
static const char *match(struct matcher *m, const char *s, const char *p)
{
    if (++m->depth > DEPTH)
        luaL_error(m->L, "pattern too complex");
    while (s && p < m->p_end) {
        step(m);
        if (*p == '(') {
            s = p + 1 < m->p_end && p[1] == ')' ? match_capture(m, s, p + 2, POSITION)
                                                : match_capture(m, s, p + 1, OPEN);
            break;
        }
        if (*p == ')') {
            s = close_capture(m, s, p + 1);
            break;
        }
        if (*p == '$' && p + 1 == m->p_end) {
            s = s == m->end ? s : NULL;
            break;
        }
        if (*p == '%' && p + 1 < m->p_end) {
            if (p[1] == 'b') {
                s = match_balance(m, s, p + 2);
                p += 4;
                continue;
            }
            if (p[1] == 'f') {
                if (p + 2 >= m->p_end || p[2] != '[')
                    luaL_error(m->L, "missing '[' after '%%f' in pattern");
                const char *set_end = item_end(m, p + 2);
                s = match_frontier(m, s, p + 2, set_end);
                p = set_end;
                continue;
            }
            if (p[1] >= '0' && p[1] <= '9') {
                s = match_again(m, s, p[1]);
                p += 2;
                continue;
            }
        }
        const char *e = item_end(m, p);
        char more = e < m->p_end ? *e : 0;
        if (more == '*' || more == '+') {
            s = match_greedy(m, s, p, e, more == '+');
            break;
        }
        if (more == '-') {
            s = match_lazy(m, s, p, e);
            break;
        }
        int yes = fits(m, s, p, e);
        if (more == '?') {
            const char *r = yes ? match(m, s + 1, e + 1) : NULL;
            if (r) {
                s = r;
                break;
            }
            p = e + 1;
            continue;
        }
        s = yes ? s + 1 : NULL;
        p = e;
    }
    m->depth--;
    return s;
}

static void begin(struct matcher *m, lua_State *L, const char *s, size_t n, const char *p,
                  size_t pn)
{
    m->L = L;
    m->text = s;
    m->end = s + n;
    m->pattern = p;
    m->p_end = p + pn;
    m->steps = 0;
}

static const char *try_at(struct matcher *m, const char *s, const char *p)
{
    m->depth = 0;
    m->n_captures = 0;
    return match(m, s, p);
}

/* ---- captures onto the stack ------------------------------------------------------------------- */

static void push_capture(struct matcher *m, int i, const char *s, const char *e)
{
    if (i >= m->n_captures) {
        if (i != 0)
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, s, (size_t)(e - s));
        return;
    }
    if (m->captures[i].len == OPEN)
        luaL_error(m->L, "unfinished capture");
    if (m->captures[i].len == POSITION)
        lua_pushinteger(m->L, m->captures[i].at - m->text + 1);
    else
        lua_pushlstring(m->L, m->captures[i].at, (size_t)m->captures[i].len);
}

/* All captures; the whole match when there is none and `whole`. */
static int push_captures(struct matcher *m, const char *s, const char *e, int whole)
{
    int n = m->n_captures == 0 && whole ? 1 : m->n_captures;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, s, e);
    return n;
}

/* ---- the four functions ------------------------------------------------------------------------ */

/* Where `init` (as Lua counts, from 1, negative from the end) is as an offset; may be n + 1 or more: none. */
static size_t start_at(lua_Integer init, size_t n)
{
    if (init > 0)
        return (size_t)init - 1;
    if (init == 0 || (lua_Unsigned)-init > n)
        return 0;
    return n - (size_t)-init;
}

static int plain(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strchr("^$*+?.([%-", p[i]) && p[i])
            return 0;
    return 1;
}

static int find_or_match(lua_State *L, int find)
{
    size_t n, pn;
    const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &pn);
    size_t init = start_at(luaL_optinteger(L, 3, 1), n);
    if (init > n) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || plain(p, pn))) {
        hone_lua_charge(L, (n - init) / 16); /* memmem is linear */
        const char *at = pn ? memmem(s + init, n - init, p, pn) : s + init;
        if (!at) {
            lua_pushnil(L);
            return 1;
        }
        lua_pushinteger(L, at - s + 1);
        lua_pushinteger(L, at - s + (ptrdiff_t)pn);
        return 2;
    }
    struct matcher m;
    begin(&m, L, s, n, p, pn);
    int anchored = pn > 0 && *p == '^';
    for (const char *at = s + init; at <= m.end; at++) {
        step(&m);
        const char *e = try_at(&m, at, p + anchored);
        if (e) {
            if (!find)
                return push_captures(&m, at, e, 1);
            lua_pushinteger(L, at - s + 1);
            lua_pushinteger(L, e - s);
            return push_captures(&m, at, e, 0) + 2;
        }
        if (anchored)
            break;
    }
    lua_pushnil(L);
    return 1;
}

static int safe_find(lua_State *L)
{
    return find_or_match(L, 1);
}

static int safe_match(lua_State *L)
{
    return find_or_match(L, 0);
}

/* Upvalues: subject, pattern, next offset, end of the last match (or -1). */
static int gmatch_next(lua_State *L)
{
    size_t n, pn;
    const char *s = lua_tolstring(L, lua_upvalueindex(1), &n),
               *p = lua_tolstring(L, lua_upvalueindex(2), &pn);
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    struct matcher m;
    begin(&m, L, s, n, p, pn);
    for (const char *at = s + lua_tointeger(L, lua_upvalueindex(3)); at <= m.end; at++) {
        step(&m);
        const char *e = try_at(&m, at, p);
        if (e && e - s != last) { /* an empty match right after the last one does not count */
            lua_pushinteger(L, e - s);
            lua_copy(L, -1, lua_upvalueindex(3));
            lua_replace(L, lua_upvalueindex(4));
            return push_captures(&m, at, e, 1);
        }
    }
    lua_pushinteger(L, (lua_Integer)n + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

static int safe_gmatch(lua_State *L)
{
    size_t n;
    luaL_checklstring(L, 1, &n);
    luaL_checkstring(L, 2);
    size_t init = start_at(luaL_optinteger(L, 3, 1), n);
    lua_settop(L, 2);
    lua_pushinteger(L, init > n ? (lua_Integer)n + 1 : (lua_Integer)init);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* The replacement for a match, into the buffer. `kind`: type of argument 3. */
static void add_replacement(struct matcher *m, luaL_Buffer *b, const char *s, const char *e,
                            int kind)
{
    lua_State *L = m->L;
    if (kind == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, e, 1), 1);
    } else if (kind == LUA_TTABLE) {
        push_capture(m, 0, s, e);
        lua_gettable(L, 3);
    } else {
        size_t n;
        const char *r = lua_tolstring(L, 3, &n);
        for (size_t i = 0; i < n; i++) {
            if (r[i] != '%') {
                luaL_addchar(b, r[i]);
                continue;
            }
            if (++i < n && r[i] == '%') {
                luaL_addchar(b, '%');
            } else if (i < n && r[i] == '0') {
                luaL_addlstring(b, s, (size_t)(e - s));
            } else if (i < n && r[i] >= '1' && r[i] <= '9') {
                push_capture(m, r[i] - '1', s, e);
                luaL_tolstring(L, -1, NULL); /* a position is a number */
                lua_remove(L, -2);
                luaL_addvalue(b);
            } else {
                luaL_error(L, "invalid use of '%%' in replacement string");
            }
        }
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(e - s));
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(b);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

static int safe_gsub(lua_State *L)
{
    size_t n, pn;
    const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &pn);
    int kind = lua_type(L, 3);
    luaL_argexpected(L,
                     kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION ||
                         kind == LUA_TTABLE,
                     3, "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)n + 1), count = 0;
    int anchored = pn > 0 && *p == '^';
    if (kind == LUA_TNUMBER) {
        luaL_tolstring(L, 3, NULL);
        lua_replace(L, 3);
    }
    struct matcher m;
    luaL_Buffer b;
    begin(&m, L, s, n, p, pn);
    luaL_buffinit(L, &b);
    const char *at = s, *last = NULL;
    while (count < most) {
        step(&m);
        const char *e = try_at(&m, at, p + anchored);
        if (e && e != last) {
            count++;
            add_replacement(&m, &b, at, e, kind);
            at = last = e;
        } else if (at < m.end) {
            luaL_addchar(&b, *at++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    luaL_addlstring(&b, at, (size_t)(m.end - at));
    luaL_pushresult(&b);
    lua_pushinteger(L, count);
    return 2;
}

void hone__lua_open_patterns(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", safe_find},
                                         {"match", safe_match},
                                         {"gmatch", safe_gmatch},
                                         {"gsub", safe_gsub},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
