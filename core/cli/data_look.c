/* data_look.c - rows as training data: which form, how long, twice there, worth a second look.
 *
 * One pass in constant memory: lengths are counted in buckets, rows are remembered as 64-bit hashes (at most
 * MAX_HASHES of each kind; from there on duplicates are not counted, and the report says over how many rows they were).
 * Two rows are equal when all their columns are; nearly equal when their texts are, without case, white space
 * and punctuation. What is suspicious is a hint, never an error: a list of reasons with the first rows' numbers.
 *
 * What a row is, scripts/lib/hone/formats.lua says, the one that training asks: a Lua state of its own runs
 * formats.look for each row, so what is shown is what training takes, and what it refuses is named. */
#include "cli/data_look.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "lua/state.h"

#include <stdio.h>
#include <string.h>

enum { MAX_HASHES = 1 << 22, N_LENGTHS = 1 << 16, EXAMPLES = 5, LONG_TOKENS = 8192 };
enum { LONG_BYTES = 64 << 10 };

typedef struct hash_set {
    uint64_t *v;
    size_t n, cap;
    int full;
    int64_t rows, twice; /* rows looked at, and those seen before */
} hash_set;

enum {
    EMPTY_ANSWER,
    NO_ANSWER,
    ROLES,
    REFUSED,
    CUT_OFF,
    TOO_LONG,
    SAME_SIDES,
    ECHO,
    BROKEN_TEXT,
    PLACEHOLDER,
    LEFT_OUT,
    NO_MASK,
    N_REASONS
};
static const char *const reasons[N_REASONS] = {
    "the answer is empty",
    "the conversation does not end with the assistant",
    "the same role twice in a row, or a system message that is not first",
    "training refuses it",
    "the answer seems cut off",
    "very long",
    "chosen and rejected are equal",
    "the answer repeats the prompt",
    "replacement or control characters",
    "a {{placeholder}}",
    "training leaves it out (a tie, or an answer labelled as bad)",
    "the chat template tells no assistant's text"};

/* The names of formats.look, which `format=` of the recipes takes too. */
enum { N_FORMS = 10, F_TEXT = 5, F_OTHER = N_FORMS - 1 };
static const char *const forms[N_FORMS] = {"openai",     "sharegpt",      "messages", "alpaca",
                                           "completion", "text",          "paired",   "hh",
                                           "unpaired",   "not recognised"};

struct hone_look {
    const hone_text_side *side;
    hone_lua *lua; /* its stack holds formats.look */
    const char *format;
    int64_t rows, form[N_FORMS], found[N_REASONS], example[N_REASONS][EXAMPLES];
    char *first[N_REASONS]; /* what was said of the first, or NULL */
    uint32_t *lengths;      /* rows of so many tokens (or bytes); the last: so many and more */
    int64_t shortest, longest;
    double total, trained;
    hash_set exact, near;
    int64_t masks, n_masks;
    hone_buf shown, text, words;
    hone_tokens tokens;
    hone_arena arena;
};

/* What a row says, as formats.look gives it; in the look's arena. */
typedef struct parts {
    int form;
    const hone_value *talk, *tools; /* lists, or NULL */
    size_t given;                   /* messages of talk that are not trained on */
    hone_str prompt, answer, other, text, error;
    int pair, equal, left_out;
} parts;

/* ---- hashes ----------------------------------------------------------------------------------------- */

static hone_status grow(hash_set *s)
{
    size_t cap = s->cap ? 2 * s->cap : 4096;
    uint64_t *v = hone_calloc(cap, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < s->cap; i++)
        if (s->v[i]) {
            size_t at = (size_t)s->v[i] & (cap - 1);
            while (v[at])
                at = (at + 1) & (cap - 1);
            v[at] = s->v[i];
        }
    hone_free(s->v);
    s->v = v;
    s->cap = cap;
    return HONE_OK;
}

static hone_status remember(hash_set *s, hone_str text)
{
    uint64_t h = hone_xxh64(text.ptr, text.len, 0);
    h += h == 0;
    if (s->full)
        return HONE_OK;
    s->rows++;
    if (2 * (s->n + 1) > s->cap) {
        if (s->n + 1 > MAX_HASHES) {
            s->full = 1;
            s->rows--;
            return HONE_OK;
        }
        HONE_TRY(grow(s));
    }
    size_t at = (size_t)h & (s->cap - 1);
    while (s->v[at] && s->v[at] != h)
        at = (at + 1) & (s->cap - 1);
    s->twice += s->v[at] == h;
    s->n += s->v[at] == 0;
    s->v[at] = h;
    return HONE_OK;
}

/* Letters and digits only, in lower case; other scripts as they are. */
static void add_plain(hone_buf *b, hone_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 'A' && c <= 'Z')
            hone_buf_addc(b, (char)(c + 32));
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
            hone_buf_addc(b, (char)c);
    }
    hone_buf_addc(b, ' ');
}

/* ---- forms -------------------------------------------------------------------------------------------- */

static hone_status open_lua(hone_look *l)
{
    static const char chunk[] = "return require(\"hone.formats\").look";
    hone_lua_opts opts = {0};
    HONE_TRY(hone_lua_create(&opts, &l->lua));
    HONE_TRY(hone_lua_load_text(l->lua, chunk, sizeof chunk - 1, "=data info"));
    return hone_lua_pcall(hone_lua_main(l->lua), 0, 1);
}

static hone_str text_of(const hone_value *map, const char *key)
{
    hone_str none = {"", 0};
    const hone_value *v = hone_value_get(map, key);
    return v && (v->type == HONE_STRING || v->type == HONE_BYTES) ? v->u.str : none;
}

static const hone_value *list_of(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    return v && v->type == HONE_LIST ? v : NULL;
}

static int true_of(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    return v && v->type == HONE_BOOL && v->u.boolean;
}

static int push_call(lua_State *L)
{
    hone_lua_push_value(L, lua_touserdata(L, 2));
    lua_replace(L, 2);
    lua_call(L, 2, 1);
    return 1;
}

static hone_status take_apart(hone_look *l, const hone_value *row, parts *p)
{
    lua_State *L = hone_lua_main(l->lua);
    hone_value v;
    int64_t given = 0;
    lua_pushcfunction(L, push_call); /* building the row may fail: it is done inside the call */
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, (void *)(uintptr_t)row);
    lua_pushstring(L, l->format);
    HONE_TRY(hone_lua_pcall(L, 3, 1));
    hone_status s = hone_lua_to_value(L, -1, &l->arena, &v);
    lua_pop(L, 1);
    HONE_TRY(s);
    memset(p, 0, sizeof *p);
    p->talk = list_of(&v, "messages");
    p->tools = list_of(&v, "tools");
    HONE_TRY(hone_value_i64(&v, "before", 0, &given));
    p->given = (size_t)given;
    p->prompt = text_of(&v, "prompt");
    p->answer = text_of(&v, "answer");
    p->other = text_of(&v, "other");
    p->text = text_of(&v, "text");
    p->error = text_of(&v, "error");
    p->pair = true_of(&v, "pair");
    p->equal = true_of(&v, "equal");
    p->left_out = true_of(&v, "left_out");
    hone_str form = text_of(&v, "form");
    while (p->form < F_OTHER && !hone_str_eq(form, forms[p->form]))
        p->form++;
    return HONE_OK;
}

/* ---- what is suspicious --------------------------------------------------------------------------------- */

static void suspect(hone_look *l, int why)
{
    if (l->found[why] < EXAMPLES)
        l->example[why][l->found[why]] = l->rows;
    l->found[why]++;
}

static int blank(hone_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr(" \t\r\n", s.ptr[i]) || !s.ptr[i])
            return 0;
    return 1;
}

/* user, assistant, system or tool; formats.look knows no other */
static char role_of(const hone_value *turn)
{
    hone_str role = text_of(turn, "role");
    return !role.len ? 0 : hone_str_eq(role, "developer") ? 's' : role.ptr[0];
}

static void check_roles(hone_look *l, const parts *p)
{
    char before = 0;
    int odd = 0, empty = 0;
    for (size_t i = 0; i < p->talk->u.list.n; i++) {
        const hone_value *turn = &p->talk->u.list.items[i];
        char role = role_of(turn);
        odd |= (role == before && role != 't') || (role == 's' && i > 0);
        empty |= role == 'a' && blank(text_of(turn, "content")) &&
                 !hone_value_get(turn, "tool_calls");
        before = role;
    }
    if (odd)
        suspect(l, ROLES);
    if (before != 'a')
        suspect(l, NO_ANSWER);
    if (empty)
        suspect(l, EMPTY_ANSWER);
}

/* A long text whose last character is a letter or comma, and whose last line is one of prose. */
static int seems_cut(hone_str s)
{
    while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]))
        s.len--;
    if (s.len < 200)
        return 0;
    unsigned char c = (unsigned char)s.ptr[s.len - 1];
    size_t line = s.len;
    while (line > 0 && s.ptr[line - 1] != '\n')
        line--;
    return ((c >= 'a' && c <= 'z') || c == ',') && s.len - line > 120;
}

static int broken(hone_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 32 && c != '\n' && c != '\t' && c != '\r') || c == 127)
            return 1;
        if (c == 0xEF && i + 2 < s.len && memcmp(s.ptr + i, "\xEF\xBF\xBD", 3) == 0)
            return 1;
    }
    return 0;
}

static int has_placeholder(hone_str s)
{
    for (size_t i = 0; i + 4 < s.len; i++) {
        if (s.ptr[i] != '{' || s.ptr[i + 1] != '{')
            continue;
        size_t k = i + 2;
        while (k < s.len &&
               (s.ptr[k] == '_' || s.ptr[k] == ' ' || (s.ptr[k] >= 'a' && s.ptr[k] <= 'z')))
            k++;
        if (k > i + 2 && k + 1 < s.len && s.ptr[k] == '}' && s.ptr[k + 1] == '}')
            return 1;
    }
    return 0;
}

/* All texts of a row: how long they are, and bits of what is wrong in them. */
static size_t walk(const hone_value *v, int *is_broken, int *placeholder)
{
    size_t n = 0;
    if (v->type == HONE_STRING || v->type == HONE_BYTES) {
        *is_broken |= broken(v->u.str);
        *placeholder |= has_placeholder(v->u.str);
        return v->u.str.len;
    }
    for (size_t i = 0; v->type == HONE_LIST && i < v->u.list.n; i++)
        n += walk(&v->u.list.items[i], is_broken, placeholder);
    for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++)
        n += walk(&v->u.map.pairs[i].value, is_broken, placeholder);
    return n;
}

/* One more row with this reason, and what was said of the first. */
static hone_status suspect_said(hone_look *l, int reason, hone_str text)
{
    suspect(l, reason);
    if (!l->first[reason])
        l->first[reason] = hone_strndup(text.ptr, text.len < 300 ? text.len : 300);
    return l->first[reason] ? HONE_OK : HONE_E_NOMEM;
}

static hone_status check_texts(hone_look *l, const parts *p, size_t bytes)
{
    if (p->talk)
        check_roles(l, p);
    if (p->error.len && p->form != F_OTHER)
        HONE_TRY(suspect_said(l, REFUSED, p->error));
    if (p->left_out)
        suspect(l, LEFT_OUT);
    if (seems_cut(p->answer))
        suspect(l, CUT_OFF);
    if (p->equal)
        suspect(l, SAME_SIDES);
    if (p->prompt.len > 20 && hone_str_same(p->prompt, p->answer))
        suspect(l, ECHO);
    if (!l->side && p->form != F_TEXT && bytes > LONG_BYTES)
        suspect(l, TOO_LONG);
    return HONE_OK;
}

/* ---- tokens ------------------------------------------------------------------------------------------------ */

/* The row's tokens, their mask; the length it has. */
static hone_status tokenize(hone_look *l, const parts *p, size_t *n)
{
    hone_chat_options opt = {.tools = p->tools, .given = p->given};
    l->tokens.want = HONE_TOKENS_SPANS | HONE_TOKENS_MASK;
    hone_tokens_clear(&l->tokens);
    hone_buf_clear(&l->text);
    if (p->talk && l->side->chat) {
        hone_status s = hone_chat_encode(l->side->chat, &l->side->tokenizer, p->talk, &opt,
                                         &l->tokens);
        if (s >= 0)
            s = hone_chat_render(l->side->chat, p->talk, &opt, &l->text);
        if (s >= 0)
            *n = l->tokens.n;
        if (s >= 0 || s == HONE_E_NOMEM)
            return s;
        HONE_TRY(suspect_said(l, NO_MASK, hone_str_c(hone_error_get()->what)));
        hone_tokens_clear(&l->tokens);
        hone_buf_clear(&l->text);
    }
    for (size_t i = 0; p->talk && i + 1 < p->talk->u.list.n; i++)
        hone_buf_add_str(&l->text, text_of(&p->talk->u.list.items[i], "content"));
    size_t at = l->text.len;
    if (p->talk && p->talk->u.list.n)
        hone_buf_add_str(&l->text,
                         text_of(&p->talk->u.list.items[p->talk->u.list.n - 1], "content"));
    hone_buf_add_str(&l->text, p->text);
    HONE_TRY(hone_buf_check(&l->text, "the row's text"));
    HONE_TRY(hone_tokenizer_encode(&l->side->tokenizer, hone_buf_str(&l->text), 0, &l->tokens));
    for (size_t i = 0; i < l->tokens.n; i++)
        l->tokens.mask[i] = l->tokens.spans[i].begin >= at;
    *n = l->tokens.n;
    return HONE_OK;
}

/* Control characters of the data must not reach a terminal. */
static void add_safe(hone_buf *b, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        hone_buf_addc(b, (c < 32 && c != '\n' && c != '\t') || c == 127 ? '?' : p[i]);
    }
}

/* The rendering with what is trained on between \1 and \2. */
static void show_mask(hone_look *l)
{
    hone_str t = hone_buf_str(&l->text);
    int on = 0;
    size_t at = 0;
    hone_buf_addf(&l->shown, "row %lld\n", (long long)l->rows);
    for (size_t i = 0; i < l->tokens.n; i++) {
        hone_span32 s = l->tokens.spans[i];
        if (s.begin < at || s.end > t.len || l->tokens.mask[i] == on)
            continue;
        add_safe(&l->shown, t.ptr + at, s.begin - at);
        at = s.begin;
        on = l->tokens.mask[i];
        hone_buf_addc(&l->shown, on ? '\1' : '\2');
    }
    add_safe(&l->shown, t.ptr + at, t.len - at);
    if (on)
        hone_buf_addc(&l->shown, '\2');
    hone_buf_addc(&l->shown, '\n');
}

/* ---- public --------------------------------------------------------------------------------------------------- */

static int is_form(const char *name)
{
    for (int i = 0; i < F_OTHER; i++)
        if (strcmp(name, forms[i]) == 0)
            return 1;
    return 0;
}

hone_status hone_look_create(const hone_text_side *side, const char *format, int64_t masks,
                             hone_look **out)
{
    hone_look *l;
    hone_status s = HONE_E_NOMEM;
    if (format && strcmp(format, "auto") != 0 && !is_form(format)) {
        hone_fail(HONE_E_USAGE, "--format %s is not known", format);
        return hone_fail_hint("openai, sharegpt, messages, alpaca, completion, text, paired, hh, "
                              "unpaired, or auto");
    }
    l = hone_calloc(1, sizeof *l);
    if (!l)
        return s;
    hone_buf_init(&l->shown, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&l->text, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&l->words, HONE_BUF_MAX_DEFAULT);
    hone_tokens_init(&l->tokens, HONE_TOKENS_SPANS | HONE_TOKENS_MASK);
    hone_arena_init(&l->arena, 0);
    l->side = side;
    l->format = format;
    l->masks = masks;
    l->lengths = hone_calloc(N_LENGTHS, sizeof *l->lengths);
    if (l->lengths)
        s = open_lua(l);
    if (s < 0) {
        hone_look_destroy(l);
        return s;
    }
    *out = l;
    return HONE_OK;
}

void hone_look_destroy(hone_look *l)
{
    if (!l)
        return;
    hone_lua_destroy(l->lua);
    for (int i = 0; i < N_REASONS; i++)
        hone_free(l->first[i]);
    hone_free(l->lengths);
    hone_free(l->exact.v);
    hone_free(l->near.v);
    hone_buf_release(&l->shown);
    hone_buf_release(&l->text);
    hone_buf_release(&l->words);
    hone_tokens_release(&l->tokens);
    hone_arena_release(&l->arena);
    hone_free(l);
}

hone_status hone_look_row(hone_look *l, const hone_value *row)
{
    parts p;
    hone_jw w;
    int is_broken = 0, placeholder = 0;
    size_t n = walk(row, &is_broken, &placeholder);
    l->rows++;
    hone_arena_clear(&l->arena);
    HONE_TRY(take_apart(l, row, &p));
    l->form[p.form]++;
    hone_buf_clear(&l->words);
    hone_jw_init(&w, &l->words, 0);
    hone_jw_value(&w, row);
    HONE_TRY(hone_buf_check(&l->words, "a row"));
    HONE_TRY(remember(&l->exact, hone_buf_str(&l->words)));
    hone_buf_clear(&l->words);
    if (p.talk || p.text.len) {
        n = p.other.len + p.text.len;
        for (size_t i = 0; p.talk && i < p.talk->u.list.n; i++) {
            hone_str s = text_of(&p.talk->u.list.items[i], "content");
            n += s.len;
            add_plain(&l->words, s);
        }
        add_plain(&l->words, p.text);
        add_plain(&l->words, p.other);
        HONE_TRY(hone_buf_check(&l->words, "a row"));
        HONE_TRY(remember(&l->near, hone_buf_str(&l->words)));
    }
    if (is_broken)
        suspect(l, BROKEN_TEXT);
    if (placeholder)
        suspect(l, PLACEHOLDER);
    HONE_TRY(check_texts(l, &p, n));
    if (l->side && (p.talk || p.text.len)) {
        HONE_TRY(tokenize(l, &p, &n));
        for (size_t i = 0; i < l->tokens.n; i++)
            l->trained += l->tokens.mask[i];
        if (n > LONG_TOKENS && p.form != F_TEXT)
            suspect(l, TOO_LONG);
        if (l->n_masks < l->masks && p.form != F_TEXT) {
            show_mask(l);
            l->n_masks++;
        }
    }
    l->lengths[n < N_LENGTHS ? n : N_LENGTHS - 1]++;
    l->shortest = l->rows == 1 || (int64_t)n < l->shortest ? (int64_t)n : l->shortest;
    l->longest = (int64_t)n > l->longest ? (int64_t)n : l->longest;
    l->total += (double)n;
    return HONE_OK;
}

/* The length that a share of the rows does not exceed. */
static int64_t quantile(const hone_look *l, double share)
{
    int64_t want = (int64_t)(share * (double)l->rows), seen = 0;
    for (size_t i = 0; i < N_LENGTHS - 1; i++) {
        seen += l->lengths[i];
        if (seen > want || seen == l->rows)
            return (int64_t)i;
    }
    return l->longest;
}

void hone_look_json(const hone_look *l, hone_jw *w)
{
    hone_jw_key(w, "forms");
    hone_jw_map(w);
    for (int i = 0; i < N_FORMS; i++)
        if (l->form[i])
            hone_jw_ki64(w, forms[i], l->form[i]);
    hone_jw_end(w);
    hone_jw_key(w, "lengths");
    hone_jw_map(w);
    hone_jw_kcstr(w, "unit", l->side ? "tokens" : "bytes");
    hone_jw_ki64(w, "min", l->shortest);
    hone_jw_kf64(w, "mean", l->rows ? l->total / (double)l->rows : 0);
    hone_jw_ki64(w, "p50", quantile(l, 0.5));
    hone_jw_ki64(w, "p90", quantile(l, 0.9));
    hone_jw_ki64(w, "p99", quantile(l, 0.99));
    hone_jw_ki64(w, "max", l->longest);
    hone_jw_kf64(w, "total", l->total);
    if (l->side)
        hone_jw_kf64(w, "trained", l->trained);
    hone_jw_end(w);
    hone_jw_key(w, "duplicates");
    hone_jw_map(w);
    hone_jw_ki64(w, "exact", l->exact.twice);
    hone_jw_ki64(w, "normalised", l->near.twice);
    hone_jw_ki64(w, "of_rows", l->exact.rows);
    hone_jw_end(w);
    hone_jw_key(w, "suspicious");
    hone_jw_list(w);
    for (int i = 0; i < N_REASONS; i++) {
        if (!l->found[i])
            continue;
        hone_jw_map(w);
        hone_jw_kcstr(w, "why", reasons[i]);
        hone_jw_ki64(w, "rows", l->found[i]);
        if (l->first[i])
            hone_jw_kcstr(w, "text", l->first[i]);
        hone_jw_key(w, "first");
        hone_jw_list(w);
        for (int k = 0; k < EXAMPLES && k < l->found[i]; k++)
            hone_jw_i64(w, l->example[i][k]);
        hone_jw_end(w);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static void add_line(hone_buf *b, const char *text)
{
    for (; *text; text++)
        hone_buf_addc(b, (unsigned char)*text < 32 || *text == 127 ? ' ' : *text);
    hone_buf_addc(b, '\n');
}

void hone_look_text(const hone_look *l, int colour, hone_buf *b)
{
    const char *comma = "";
    hone_buf_adds(b, "form: ");
    for (int i = 0; i < N_FORMS; i++)
        if (l->form[i]) {
            hone_buf_addf(b, "%s%s", comma, forms[i]);
            if (l->form[i] != l->rows)
                hone_buf_addf(b, " %lld", (long long)l->form[i]);
            comma = ", ";
        }
    hone_buf_addf(
        b, "\nlength: %lld to %lld %s, mean %.0f; half up to %lld, 90 %% to %lld, 99 %% to %lld\n",
        (long long)l->shortest, (long long)l->longest, l->side ? "tokens" : "bytes",
        l->rows ? l->total / (double)l->rows : 0, (long long)quantile(l, 0.5),
        (long long)quantile(l, 0.9), (long long)quantile(l, 0.99));
    if (l->side && l->total > 0)
        hone_buf_addf(b, "trained on: %.0f of %.0f tokens (%.1f %%)\n", l->trained, l->total,
                      100 * l->trained / l->total);
    hone_buf_addf(b, "duplicates: %lld equal, %lld equal but for case, blanks and punctuation",
                  (long long)l->exact.twice, (long long)l->near.twice);
    if (l->exact.full || l->near.full)
        hone_buf_addf(b, " (among the first %lld rows)", (long long)l->exact.rows);
    hone_buf_addc(b, '\n');
    for (int i = 0; i < N_REASONS; i++) {
        if (!l->found[i])
            continue;
        hone_buf_addf(b, "suspicious: %s: %lld (row", reasons[i], (long long)l->found[i]);
        for (int k = 0; k < EXAMPLES && k < l->found[i]; k++)
            hone_buf_addf(b, "%s %lld", k ? "," : "", (long long)l->example[i][k]);
        hone_buf_addf(b, "%s)%s", l->found[i] > EXAMPLES ? ", ..." : "", l->first[i] ? ": " : "\n");
        if (l->first[i])
            add_line(b, l->first[i]);
    }
    for (size_t i = 0; i < l->shown.len; i++) {
        char c = l->shown.ptr[i];
        if (c == '\1')
            hone_buf_adds(b, colour ? "\033[32m" : "[[");
        else if (c == '\2')
            hone_buf_adds(b, colour ? "\033[0m" : "]]");
        else
            hone_buf_addc(b, c);
    }
}
