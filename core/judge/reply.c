/* reply.c - see reply.h.
 *
 * The last object is found by walking over the text once: at each '{' outside of an object the matching '}' is looked for,
 * with strings skipped; what parses and has the key is remembered. Walking forward finds outermost objects; a limit on
 * failed tries keeps "{{{{..." linear.
 * Invariant: reads only what is inside `text`. */
#include "judge/reply.h"

#include "base/math64.h"
#include "hone/judge.h"

#include <math.h>
#include <string.h>

enum { TAIL = 1 << 17, TRIES = 256 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int at_word(hone_str s, size_t at, const char *z)
{
    for (size_t i = 0; z[i]; i++)
        if (at + i >= s.len || lower(s.ptr[at + i]) != z[i])
            return 0;
    return 1;
}

static int is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* ---- thoughts -------------------------------------------------------------------------------------------- */

static const char *const tags[] = {"think>", "thinking>", "reasoning>", NULL};

/* The length of "<think>" or, with `closing`, "</think>" at s[at]; 0: another thing. */
static size_t tag_at(hone_str s, size_t at, int closing)
{
    if (at + 1 >= s.len || s.ptr[at] != '<' || (s.ptr[at + 1] == '/') != closing)
        return 0;
    for (size_t i = 0; tags[i]; i++)
        if (at_word(s, at + 1 + (size_t)closing, tags[i]))
            return 1 + (size_t)closing + strlen(tags[i]);
    return 0;
}

int hone_reply_visible(hone_str text, hone_str *out)
{
    size_t after = 0, opened = SIZE_MAX;
    for (size_t i = 0; i < text.len; i++) {
        const size_t close = tag_at(text, i, 1);
        if (close)
            after = i + close; /* all before the last one is a thought, whatever it quotes */
        else if (tag_at(text, i, 0))
            opened = i;
    }
    if (opened != SIZE_MAX && opened >= after)
        return 0;
    *out = (hone_str){text.ptr + after, text.len - after};
    return 1;
}

/* ---- the last object ---------------------------------------------------------------------------------------- */

/* One past the '}' that ends the object at s[at], or 0. */
static size_t object_end(hone_str s, size_t at)
{
    size_t depth = 0;
    int in_string = 0;
    for (size_t i = at; i < s.len; i++) {
        const char c = s.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = 0;
        } else if (c == '"')
            in_string = 1;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return c == '}' ? i + 1 : 0;
    }
    return 0;
}

static hone_status last_object(hone_str s, const char *key, hone_arena *arena, hone_value *out,
                               int *found)
{
    size_t tries = 0;
    *found = 0;
    for (size_t i = 0; i < s.len && tries < TRIES; i++) {
        hone_value v;
        if (s.ptr[i] != '{')
            continue;
        const size_t end = object_end(s, i);
        const hone_status got = end ? hone_json_parse(s.ptr + i, end - i, NULL, arena, &v)
                                    : HONE_E_PARSE;
        if (got == HONE_E_NOMEM)
            return got;
        if (got < 0) {
            tries++;
            continue;
        }
        if (hone_value_get(&v, key)) {
            *out = v;
            *found = 1;
        }
        i = end - 1;
    }
    return HONE_OK;
}

/* ---- what it says --------------------------------------------------------------------------------------------- */

static int same_label(hone_str a, hone_str b)
{
    if (a.len != b.len)
        return 0;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return 0;
    return a.len > 0;
}

static hone_str trimmed(hone_str s)
{
    while (s.len && strchr(" \t\r\n", s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The label's number, or SIZE_MAX. Exactly first, then whatever its case, where that is one. */
static size_t find_label(const hone_reply_field *f, hone_str given)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < f->n_labels; i++)
        if (hone_str_same(f->labels[i], given))
            return i;
    for (size_t i = 0; i < f->n_labels; i++)
        if (same_label(f->labels[i], given)) {
            if (found != SIZE_MAX)
                return SIZE_MAX;
            found = i;
        }
    return found;
}

static size_t label_of(const hone_reply_field *f, const hone_value *v)
{
    char text[32];
    if (v && v->type == HONE_STRING)
        return find_label(f, trimmed(v->u.str));
    if (v && (v->type == HONE_I64 || v->type == HONE_F64)) {
        const size_t n = hone_format_f64(v->type == HONE_I64 ? (double)v->u.i64 : v->u.f64, text);
        return find_label(f, (hone_str){text, n});
    }
    if (v && v->type == HONE_BOOL)
        return find_label(f, hone_str_c(v->u.boolean ? "yes" : "no"));
    return SIZE_MAX;
}

static const char *read_ranking(const hone_reply_field *f, const hone_value *v, size_t *choice)
{
    if (v->type != HONE_LIST || v->u.list.n != f->n_labels)
        return "the ranking must hold every id once";
    for (size_t i = 0; i < f->n_labels; i++) {
        choice[i] = label_of(f, &v->u.list.items[i]);
        if (choice[i] == SIZE_MAX)
            return "the ranking holds an id that is none of those given";
        for (size_t k = 0; k < i; k++)
            if (choice[k] == choice[i])
                return "the ranking must hold every id once";
    }
    return NULL;
}

static const char *read_object(const hone_reply_want *want, const hone_value *object,
                               const char *key, size_t *choice)
{
    const hone_value *v = hone_value_get(object, key);
    if (want->form == HONE_REPLY_RANKING)
        return read_ranking(&want->fields[0], v, choice);
    if (want->form == HONE_REPLY_VERDICT) {
        choice[0] = label_of(&want->fields[0], v);
        return choice[0] == SIZE_MAX ? "the verdict is none of the labels" : NULL;
    }
    if (v->type != HONE_MAP || v->u.map.n != want->n_fields)
        return "criteria must hold one label for each criterion, and nothing else";
    for (size_t i = 0; i < want->n_fields; i++) {
        choice[i] = label_of(&want->fields[i], hone_value_get_str(v, want->fields[i].id));
        if (choice[i] == SIZE_MAX)
            return "a criterion lacks its label, or has one that is none of its choices";
    }
    return NULL;
}

/* The last "verdict: LABEL" outside of JSON: its label, or SIZE_MAX. *said: something stood there. */
static size_t last_line(const hone_reply_field *f, hone_str s, int *said)
{
    size_t found = SIZE_MAX;
    *said = 0;
    for (size_t i = 0; i < s.len; i++) {
        size_t k = i + 7;
        if (!at_word(s, i, "verdict") || (i && (is_word(s.ptr[i - 1]) || s.ptr[i - 1] == '"')))
            continue; /* a key in quotes is part of an object that could not be read */
        while (k < s.len && s.ptr[k] && strchr(" \t\"'*_`", s.ptr[k]))
            k++;
        if (k >= s.len || (s.ptr[k] != ':' && s.ptr[k] != '='))
            continue;
        k++;
        while (k < s.len && s.ptr[k] && strchr(" \t\"'*_`([", s.ptr[k]))
            k++;
        size_t best = SIZE_MAX;
        for (size_t l = 0; l < f->n_labels; l++) {
            const hone_str label = f->labels[l];
            if (k + label.len > s.len || !same_label(label, (hone_str){s.ptr + k, label.len}))
                continue;
            if (k + label.len < s.len && is_word(s.ptr[k + label.len]))
                continue;
            if (k + label.len + 1 < s.len &&
                (s.ptr[k + label.len] == '.' || s.ptr[k + label.len] == '/') &&
                is_word(s.ptr[k + label.len + 1]))
                continue; /* 4.5 and 4/5 are not 4 */
            best = best == SIZE_MAX ? l : SIZE_MAX - 1;
        }
        *said = 1;
        found = best < SIZE_MAX - 1 ? best : SIZE_MAX;
    }
    return found;
}

/* Does it begin by declining? */
static int declines(hone_str s)
{
    static const char *const begins[] = {"i'm sorry",
                                         "i am sorry",
                                         "sorry, ",
                                         "i cannot ",
                                         "i can't ",
                                         "i can\xE2\x80\x99t ",
                                         "i\xE2\x80\x99m sorry",
                                         "i won't ",
                                         "i will not ",
                                         "i'm unable",
                                         "i am unable",
                                         "i'm not able",
                                         "i am not able",
                                         "as an ai",
                                         "i must decline",
                                         "unfortunately, i can",
                                         "i apologize",
                                         NULL};
    s = trimmed(s);
    for (size_t i = 0; begins[i]; i++)
        if (at_word(s, 0, begins[i]))
            return 1;
    return 0;
}

hone_status hone_reply_read(hone_str text, int truncated, const hone_reply_want *want,
                            hone_arena *arena, hone_reply *out)
{
    static const char *const keys[] = {"verdict", "criteria", "ranking"};
    const char *key = keys[want->form];
    const size_t n = want->form == HONE_REPLY_RANKING ? want->fields[0].n_labels : want->n_fields;
    hone_reply r = {.detail = HONE_VERDICT_UNPARSED};
    hone_value object = {0};
    hone_str s;
    int found = 0, said = 0;
    size_t *choice = hone_arena_calloc(arena, n ? n : 1, sizeof *choice);
    if (!choice)
        return HONE_E_NOMEM;
    if (!hone_reply_visible(text, &s)) {
        r.detail = HONE_VERDICT_TRUNCATED;
        r.why = "the thought was not finished";
        *out = r;
        return HONE_OK;
    }
    if (s.len > TAIL)
        s = (hone_str){s.ptr + (s.len - TAIL), TAIL};
    HONE_TRY(last_object(s, key, arena, &object, &found));
    if (found) {
        r.why = read_object(want, &object, key, choice);
        const hone_value *reasoning = hone_value_get(&object, "reasoning");
        if (reasoning && reasoning->type == HONE_STRING)
            r.reasoning = reasoning->u.str;
    } else if (want->form == HONE_REPLY_VERDICT) {
        choice[0] = last_line(&want->fields[0], s, &said);
        r.why = choice[0] != SIZE_MAX ? NULL
                : said                ? "the verdict is none of the labels"
                                      : "it holds no JSON object with a verdict";
    } else
        r.why = "it holds no JSON object of the form that was asked for";
    if (!r.why) {
        r.detail = HONE_VERDICT_OK;
        r.choice = choice;
    } else if (truncated)
        r.detail = HONE_VERDICT_TRUNCATED;
    else if (!found && !said && declines(s))
        r.detail = HONE_VERDICT_REFUSED;
    if (!r.reasoning.len) {
        const hone_str t = trimmed(s);
        r.reasoning = hone_arena_str(arena, (hone_str){t.ptr, t.len < 2000 ? t.len : 2000});
    }
    *out = r;
    return HONE_OK;
}

hone_status hone_reply_label(hone_str text, int truncated, const hone_reply_field *field,
                             hone_arena *arena, hone_reply *out)
{
    const hone_reply_want want = {HONE_REPLY_VERDICT, field, 1};
    hone_str s;
    if (hone_reply_visible(text, &s)) {
        s = trimmed(s);
        while (s.len && strchr("\"'*_`.", s.ptr[s.len - 1]))
            s.len--;
        while (s.len && strchr("\"'*_`", s.ptr[0])) {
            s.ptr++;
            s.len--;
        }
        size_t *choice = hone_arena_calloc(arena, 1, sizeof *choice);
        if (!choice)
            return HONE_E_NOMEM;
        choice[0] = find_label(field, s);
        if (choice[0] != SIZE_MAX) {
            *out = (hone_reply){.detail = HONE_VERDICT_OK, .choice = choice};
            return HONE_OK;
        }
    }
    return hone_reply_read(text, truncated, &want, arena, out);
}

/* ---- the schema ------------------------------------------------------------------------------------------------- */

static void labels_schema(hone_jw *w, const hone_reply_field *f)
{
    hone_jw_map(w);
    hone_jw_key(w, "enum");
    hone_jw_list(w);
    for (size_t i = 0; i < f->n_labels; i++)
        hone_jw_str(w, f->labels[i]);
    hone_jw_end(w);
    hone_jw_end(w);
}

static void object_begins(hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "object");
    hone_jw_kbool(w, "additionalProperties", 0);
}

hone_status hone_reply_schema(const hone_reply_want *want, size_t max_reasoning, hone_buf *out)
{
    static const char *const keys[] = {"verdict", "criteria", "ranking"};
    const hone_reply_field *f = want->fields;
    hone_jw w;
    hone_jw_init(&w, out, 0);
    object_begins(&w);
    hone_jw_key(&w, "required");
    hone_jw_list(&w);
    hone_jw_cstr(&w, "reasoning");
    hone_jw_cstr(&w, keys[want->form]);
    hone_jw_end(&w);
    hone_jw_key(&w, "properties");
    hone_jw_map(&w);
    hone_jw_key(&w, "reasoning");
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "type", "string");
    hone_jw_ki64(&w, "maxLength", (int64_t)max_reasoning);
    hone_jw_end(&w);
    hone_jw_key(&w, keys[want->form]);
    if (want->form == HONE_REPLY_VERDICT)
        labels_schema(&w, f);
    else if (want->form == HONE_REPLY_RANKING) {
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "type", "array");
        hone_jw_ki64(&w, "minItems", (int64_t)f->n_labels);
        hone_jw_ki64(&w, "maxItems", (int64_t)f->n_labels);
        hone_jw_key(&w, "items");
        labels_schema(&w, f);
        hone_jw_end(&w);
    } else {
        object_begins(&w);
        hone_jw_key(&w, "required");
        hone_jw_list(&w);
        for (size_t i = 0; i < want->n_fields; i++)
            hone_jw_str(&w, f[i].id);
        hone_jw_end(&w);
        hone_jw_key(&w, "properties");
        hone_jw_map(&w);
        for (size_t i = 0; i < want->n_fields; i++) {
            hone_jw_key_str(&w, f[i].id);
            labels_schema(&w, &f[i]);
        }
        hone_jw_end(&w);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
    return hone_buf_check(out, "schema");
}

/* ---- label log-probs ---------------------------------------------------------------------------------------------- */

int hone_reply_labels(const double *logprobs, const double *values, size_t n, double min_mass,
                      double *value, double *mass, double *entropy, double *probs)
{
    double sum = 0, v = 0, h = 0;
    for (size_t i = 0; i < n; i++) {
        probs[i] = hone_math_exp(logprobs[i] > 0 ? 0 : logprobs[i]); /* NaN stays */
        sum += probs[i];
    }
    *mass = isnan(sum) ? 0 : sum;
    if (!(sum > 0) || !(sum >= min_mass))
        return 0;
    for (size_t i = 0; i < n; i++) {
        probs[i] /= sum;
        v += values[i] * probs[i];
        h -= probs[i] > 0 ? probs[i] * hone_math_log(probs[i]) : 0;
    }
    *value = v;
    *entropy = h;
    return 1;
}
