/* prompt.c - see prompt.h. Reading, and filling in.
 *
 * A template is cut into parts when it is read, so that filling in is one walk over them and nothing that was put in is
 * ever parsed. Harmless texts are in prompt_neutral.c. */
#include "judge/prompt.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "judge/data.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES = 64, PARTS = 4096, VARS = 256 };

struct reader {
    hone_prompt *p;
    const char *name;
    hone_str vars[VARS];
    size_t n_vars;
};

static hone_status bad(const struct reader *rd, const char *place, const char *what)
{
    return hone_fail(HONE_E_INVALID, "%s: %s%s%s", rd->name, place, *place ? ": " : "", what);
}

static int is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

/* The length of "{{name}}" at s[at], or 0; *name is what is inside. */
static size_t variable_at(hone_str s, size_t at, hone_str *name)
{
    size_t i = at + 2;
    if (i >= s.len || s.ptr[at] != '{' || s.ptr[at + 1] != '{')
        return 0;
    while (i < s.len && s.ptr[i] == ' ')
        i++;
    const size_t from = i;
    while (i < s.len && is_name(s.ptr[i]))
        i++;
    *name = (hone_str){s.ptr + from, i - from};
    while (i < s.len && s.ptr[i] == ' ')
        i++;
    return name->len && i + 1 < s.len && s.ptr[i] == '}' && s.ptr[i + 1] == '}' ? i + 2 - at : 0;
}

static hone_status add_var(struct reader *rd, hone_str name)
{
    for (size_t i = 0; i < rd->n_vars; i++)
        if (hone_str_same(rd->vars[i], name))
            return HONE_OK;
    if (rd->n_vars == VARS)
        return bad(rd, "template", "more than 256 variables");
    rd->vars[rd->n_vars++] = name;
    return HONE_OK;
}

static hone_status cut_template(struct reader *rd, hone_str s, hone_prompt_message *m)
{
    size_t n = 0, cap = 16, from = 0, at = 0;
    hone_prompt_part *parts = hone_arena_calloc(&rd->p->arena, cap, sizeof *parts);
    if (!parts)
        return HONE_E_NOMEM;
    while (at <= s.len) {
        hone_str name = {NULL, 0};
        const size_t var = at < s.len ? variable_at(s, at, &name) : 0;
        if (!var && at < s.len) {
            at++;
            continue;
        }
        if (n + 2 > cap) {
            hone_prompt_part *more = hone_arena_calloc(&rd->p->arena, 2 * cap, sizeof *more);
            if (!more)
                return HONE_E_NOMEM;
            memcpy(more, parts, n * sizeof *more);
            parts = more;
            cap *= 2;
        }
        if (n + 2 > PARTS)
            return bad(rd, "template", "too many variables");
        if (at > from)
            parts[n++].text = (hone_str){s.ptr + from, at - from};
        if (!var)
            break;
        HONE_TRY(add_var(rd, name));
        parts[n].is_var = 1;
        parts[n].alone = (at == 0 || s.ptr[at - 1] == '\n') &&
                         (at + var == s.len || s.ptr[at + var] == '\n');
        parts[n++].text = name;
        from = at += var;
    }
    m->parts = parts;
    m->n_parts = n;
    return HONE_OK;
}

static hone_status read_message(struct reader *rd, size_t i, const hone_value *v,
                                hone_prompt_message *m)
{
    char place[40];
    hone_str content;
    const hone_str none = {NULL, 0};
    snprintf(place, sizeof place, "messages[%zu]", i + 1);
    if (v->type != HONE_MAP)
        return bad(rd, place, "{ role =, content = } is expected");
    HONE_TRY(hone_value_string(v, "role", none, &m->role));
    HONE_TRY(hone_value_string(v, "content", none, &content));
    if (!m->role.len || !content.ptr || v->u.map.n != 2)
        return bad(rd, place, "a message has a role and a content, and nothing else");
    return cut_template(rd, content, m);
}

static hone_status read_messages(struct reader *rd)
{
    const hone_value *list = hone_value_get(&rd->p->root, "messages");
    const hone_value *one = hone_value_get(&rd->p->root, "template");
    if (!list == !one)
        return bad(rd, "", "a prompt has messages, or a template");
    if (list && (list->type != HONE_LIST || !list->u.list.n || list->u.list.n > MESSAGES))
        return bad(rd, "messages", "a list of 1 to 64 is expected");
    if (one && one->type != HONE_STRING)
        return bad(rd, "template", "a text is expected");
    const size_t n = list ? list->u.list.n : 1;
    hone_prompt_message *m = hone_arena_calloc(&rd->p->arena, n, sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    if (one) {
        m[0].role = hone_str_c("user");
        HONE_TRY(cut_template(rd, one->u.str, &m[0]));
    }
    for (size_t i = 0; list && i < n; i++)
        HONE_TRY(read_message(rd, i, &list->u.list.items[i], &m[i]));
    rd->p->messages = m;
    rd->p->n_messages = n;
    return HONE_OK;
}

/* `vars`: a list of names, or a map of names with what they are. */
static int declared(const hone_value *vars, hone_str name)
{
    if (vars->type == HONE_MAP)
        return hone_value_get_str(vars, name) != NULL;
    for (size_t i = 0; vars->type == HONE_LIST && i < vars->u.list.n; i++)
        if (vars->u.list.items[i].type == HONE_STRING &&
            hone_str_same(vars->u.list.items[i].u.str, name))
            return 1;
    return 0;
}

static hone_status check_vars(struct reader *rd)
{
    const hone_value *vars = hone_value_get(&rd->p->root, "vars");
    hone_str *keep = hone_arena_calloc(&rd->p->arena, rd->n_vars + 1, sizeof *keep);
    if (!keep)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < rd->n_vars; i++) {
        keep[i] = rd->vars[i];
        if (vars && !declared(vars, keep[i]))
            return hone_fail(HONE_E_INVALID, "%s: {{%.*s}} is used and not in vars", rd->name,
                             (int)(keep[i].len < 60 ? keep[i].len : 60), keep[i].ptr);
    }
    rd->p->vars = keep;
    rd->p->n_vars = rd->n_vars;
    return HONE_OK;
}

static hone_status build(struct reader *rd)
{
    static const char *const known[] = {"id",   "version",  "title",     "messages", "template",
                                        "vars", "examples", "changelog", NULL};
    hone_prompt *p = rd->p;
    const hone_str none = {"", 0};
    if (p->root.type != HONE_MAP)
        return bad(rd, "", "a table with names is expected");
    for (size_t i = 0; i < p->root.u.map.n; i++) {
        const hone_str key = p->root.u.map.pairs[i].key;
        char text[64];
        size_t k = 0;
        while (known[k] && !hone_str_eq(key, known[k]))
            k++;
        if (known[k])
            continue;
        snprintf(text, sizeof text, "%.*s", (int)(key.len < 60 ? key.len : 60), key.ptr);
        hone_fail(HONE_E_INVALID, "%s: a prompt has no \"%s\"", rd->name, text);
        const char *close = hone_closest(text, known);
        return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_INVALID;
    }
    HONE_TRY(hone_value_string(&p->root, "id", none, &p->id));
    HONE_TRY(hone_value_string(&p->root, "version", none, &p->version));
    HONE_TRY(hone_value_string(&p->root, "title", none, &p->title));
    if (!p->id.len)
        return bad(rd, "id", "a prompt has one");
    HONE_TRY(read_messages(rd));
    HONE_TRY(check_vars(rd));
    p->examples = hone_value_get(&p->root, "examples");
    if (p->examples && p->examples->type != HONE_LIST)
        return bad(rd, "examples", "a list is expected");
    return hone_data_hash(&p->root, "changelog", &p->arena, &p->json, p->hash);
}

static hone_prompt *new_prompt(void)
{
    hone_prompt *p = hone_calloc(1, sizeof *p);
    if (p)
        hone_arena_init(&p->arena, 1 << 28);
    return p;
}

static hone_status built(hone_prompt *p, const char *name, hone_status s, hone_prompt **out)
{
    struct reader *rd = s >= 0 ? hone_calloc(1, sizeof *rd) : NULL;
    if (s >= 0 && !rd)
        s = HONE_E_NOMEM;
    if (s >= 0) {
        rd->p = p;
        rd->name = name;
        s = build(rd);
    }
    hone_free(rd);
    if (s < 0)
        hone_prompt_destroy(p);
    else
        *out = p;
    return s;
}

hone_status hone_prompt_read(const char *text, size_t len, const char *name, hone_prompt **out)
{
    hone_prompt *p = new_prompt();
    return p ? built(p, name, hone_data_read(text, len, name, &p->arena, &p->root), out)
             : HONE_E_NOMEM;
}

hone_status hone_prompt_read_file(const char *path, hone_prompt **out)
{
    hone_prompt *p = new_prompt();
    return p ? built(p, path, hone_data_read_file(path, &p->arena, &p->root), out) : HONE_E_NOMEM;
}

hone_status hone_prompt_from_value(const hone_value *v, const char *name, hone_prompt **out)
{
    hone_prompt *p = new_prompt();
    return p ? built(p, name, hone_data_sorted(v, name, &p->arena, &p->root), out) : HONE_E_NOMEM;
}

void hone_prompt_destroy(hone_prompt *p)
{
    if (!p)
        return;
    hone_arena_release(&p->arena);
    hone_free(p);
}

int hone_prompt_uses(const hone_prompt *p, const char *var)
{
    for (size_t i = 0; i < p->n_vars; i++)
        if (hone_str_eq(p->vars[i], var))
            return 1;
    return 0;
}

/* ---- filling in ------------------------------------------------------------------------------------------ */

static hone_status fill(const hone_prompt *p, const hone_prompt_message *m,
                        const hone_prompt_binding *bindings, size_t n, hone_buf *out)
{
    int drop_newline = 0;
    for (size_t i = 0; i < m->n_parts; i++) {
        const hone_prompt_part *part = &m->parts[i];
        hone_str s = part->text;
        size_t k = 0;
        if (!part->is_var) {
            if (drop_newline && s.len && s.ptr[0] == '\n') {
                s.ptr++;
                s.len--;
            }
            drop_newline = 0;
            hone_buf_add_str(out, s);
            continue;
        }
        while (k < n && !hone_str_eq(s, bindings[k].name))
            k++;
        if (k == n)
            return hone_fail(HONE_E_INVALID, "%.*s: {{%.*s}} is bound to nothing",
                             (int)(p->id.len < 60 ? p->id.len : 60), p->id.ptr,
                             (int)(s.len < 60 ? s.len : 60), s.ptr);
        drop_newline = part->alone && !bindings[k].text.len;
        hone_buf_add_str(out, bindings[k].text);
    }
    return hone_buf_check(out, "prompt");
}

hone_status hone_prompt_render(const hone_prompt *p, const hone_prompt_binding *bindings, size_t n,
                               hone_arena *arena, hone_message **out, size_t *n_out)
{
    hone_message *m = hone_arena_calloc(arena, p->n_messages, sizeof *m);
    hone_status s = m ? HONE_OK : HONE_E_NOMEM;
    hone_buf b;
    hone_buf_init(&b, 1 << 28);
    for (size_t i = 0; s >= 0 && i < p->n_messages; i++) {
        hone_buf_clear(&b);
        s = fill(p, &p->messages[i], bindings, n, &b);
        if (s < 0)
            break;
        m[i].role = p->messages[i].role;
        m[i].content = hone_arena_str(arena, hone_buf_str(&b));
        if (!m[i].content.ptr)
            s = HONE_E_NOMEM;
    }
    hone_buf_release(&b);
    if (s >= 0) {
        *out = m;
        *n_out = p->n_messages;
    }
    return s;
}
