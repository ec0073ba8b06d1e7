/* data_look.c - rows as training data: which form, how long, twice there, worth a second look.
 *
 * One pass in constant memory: lengths are counted in buckets, rows are remembered as 64-bit hashes (at most
 * MAX_HASHES of each kind; from there on duplicates are not counted, and the report says over how many rows they were).
 * Two rows are equal when all their columns are; nearly equal when their texts are, without case, white space
 * and punctuation. What is suspicious is a hint, never an error: a list of reasons with the first rows' numbers.
 *
 * The forms are those that scripts/lib/hone/formats.lua takes; here they are only told apart. */
#include "cli/data_look.h"

#include "base/alloc.h"
#include "base/hash.h"

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
    UNKNOWN_ROLE,
    CUT_OFF,
    TOO_LONG,
    SAME_SIDES,
    ECHO,
    BROKEN_TEXT,
    PLACEHOLDER,
    NO_MASK,
    N_REASONS
};
static const char *const reasons[N_REASONS] = {
    "the answer is empty",
    "the conversation does not end with the assistant",
    "the same role twice in a row, or a system message that is not first",
    "an unknown role",
    "the answer seems cut off",
    "very long",
    "chosen and rejected are equal",
    "the answer repeats the prompt",
    "replacement or control characters",
    "a {{placeholder}}",
    "the chat template tells no assistant's text"};

enum {
    F_TALK,
    F_PAIRS,
    F_TRANSCRIPTS,
    F_LABELLED,
    F_ALPACA,
    F_COMPLETION,
    F_TEXT,
    F_OTHER,
    N_FORMS
};
static const char *const forms[N_FORMS] = {"messages",   "pairs",         "transcript pairs",
                                           "labelled",   "alpaca",        "prompt and completion",
                                           "plain text", "not recognised"};

struct hone_look {
    const hone_text_side *side;
    int64_t rows, form[N_FORMS], found[N_REASONS], example[N_REASONS][EXAMPLES];
    uint32_t *lengths; /* rows of so many tokens (or bytes); the last: so many and more */
    int64_t shortest, longest;
    double total, trained;
    hash_set exact, near;
    int64_t masks, n_masks;
    hone_buf shown, text, words;
    hone_tokens tokens;
    hone_arena arena;
};

/* What a row says, borrowed from it. */
typedef struct parts {
    int form;
    const hone_value *talk;                 /* a list of turns */
    hone_str system, prompt, answer, other; /* other: the rejected side */
    int has_answer;
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

static const hone_value *first_of(const hone_value *row, const char *const *names)
{
    for (; *names; names++) {
        const hone_value *v = hone_value_get(row, *names);
        if (v && v->type != HONE_NULL)
            return v;
    }
    return NULL;
}

static hone_str text_of(const hone_value *v)
{
    hone_str none = {"", 0};
    if (v && v->type == HONE_MAP) { /* a turn */
        const hone_value *content = hone_value_get(v, "content");
        v = content ? content : hone_value_get(v, "value");
    }
    return v && v->type == HONE_STRING ? v->u.str : none;
}

static hone_str last_text(const hone_value *v)
{
    if (v && v->type == HONE_LIST && v->u.list.n)
        return text_of(&v->u.list.items[v->u.list.n - 1]);
    return text_of(v);
}

static void take_apart(const hone_value *row, parts *p)
{
    static const char *const talks[] = {
        "messages", "conversations", "conversation", "dialogue", "dialog", "chat", NULL};
    static const char *const prompts[] = {"prompt",  "question", "query", "instruction",
                                          "problem", "input",    NULL};
    static const char *const answers[] = {"completion", "response", "answer", "output",
                                          "solution",   "target",   NULL};
    static const char *const chosens[] = {"chosen", "chosen_response", "response_chosen",
                                          "preferred", NULL};
    static const char *const rejecteds[] = {"rejected", "rejected_response", "response_rejected",
                                            "dispreferred", NULL};
    static const char *const labels[] = {"label", "kto_tag", "desirable", NULL};
    static const char *const texts[] = {"text", "content", NULL};
    const hone_value *talk = first_of(row, talks), *prompt = first_of(row, prompts),
                     *answer = first_of(row, answers), *chosen = first_of(row, chosens),
                     *rejected = first_of(row, rejecteds), *text = first_of(row, texts),
                     *instances = hone_value_get(row, "instances"), *label = first_of(row, labels);
    memset(p, 0, sizeof *p);
    p->system = text_of(hone_value_get(row, "system"));
    p->prompt = last_text(prompt);
    p->other.ptr = p->answer.ptr = "";
    if (talk && talk->type == HONE_LIST)
        p->talk = talk;
    if (instances && instances->type == HONE_LIST && instances->u.list.n)
        answer = hone_value_get(&instances->u.list.items[0], "output");
    if (chosen && rejected) {
        p->answer = last_text(chosen);
        p->other = last_text(rejected);
        p->has_answer = 1;
        p->form = !prompt && !talk && chosen->type == HONE_STRING ? F_TRANSCRIPTS : F_PAIRS;
        return;
    }
    if (p->talk) {
        p->form = label && label->type == HONE_BOOL ? F_LABELLED : F_TALK;
        p->answer = last_text(talk);
        p->has_answer = 1;
        return;
    }
    if (answer && prompt) {
        p->form = label && label->type == HONE_BOOL            ? F_LABELLED
                  : hone_value_get(row, "instruction") != NULL ? F_ALPACA
                                                               : F_COMPLETION;
        p->answer = last_text(answer);
        p->has_answer = 1;
        return;
    }
    p->form = text && text->type == HONE_STRING ? F_TEXT : F_OTHER;
    if (p->form == F_TEXT)
        p->answer = text->u.str;
}

/* ---- what is suspicious --------------------------------------------------------------------------------- */

static void suspect(hone_look *l, int why)
{
    if (l->found[why] < EXAMPLES)
        l->example[why][l->found[why]] = l->rows;
    l->found[why]++;
}

/* user, assistant, system, tool or 0 */
static char role_of(const hone_value *turn)
{
    static const struct {
        const char *name;
        char role;
    } known[] = {
        {"user", 'u'},          {"human", 'u'},     {"prompter", 'u'},    {"assistant", 'a'},
        {"gpt", 'a'},           {"chatgpt", 'a'},   {"model", 'a'},       {"bot", 'a'},
        {"function_call", 'a'}, {"tool_call", 'a'}, {"system", 's'},      {"developer", 's'},
        {"tool", 't'},          {"function", 't'},  {"observation", 't'}, {"ipython", 't'}};
    const hone_value *v = hone_value_get(turn, "role");
    v = v ? v : hone_value_get(turn, "from");
    if (v && v->type == HONE_STRING)
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (hone_str_eq(v->u.str, known[i].name))
                return known[i].role;
    return 0;
}

static void check_roles(hone_look *l, const parts *p)
{
    char before = 0;
    int odd = 0, unknown = 0, empty = 0;
    for (size_t i = 0; i < p->talk->u.list.n; i++) {
        const hone_value *turn = &p->talk->u.list.items[i];
        char role = role_of(turn);
        unknown |= role == 0;
        odd |= (role == before && role != 't' && role != 0) || (role == 's' && i > 0);
        empty |= role == 'a' && text_of(turn).len == 0 && !hone_value_get(turn, "tool_calls");
        before = role;
    }
    if (unknown)
        suspect(l, UNKNOWN_ROLE);
    if (odd)
        suspect(l, ROLES);
    if (before != 'a' && p->form != F_PAIRS)
        suspect(l, NO_ANSWER);
    if (empty)
        suspect(l, EMPTY_ANSWER);
}

static int blank(hone_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr(" \t\r\n", s.ptr[i]) || !s.ptr[i])
            return 0;
    return 1;
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

static void check_texts(hone_look *l, const parts *p, size_t bytes)
{
    if (p->talk)
        check_roles(l, p);
    else if (p->has_answer && blank(p->answer))
        suspect(l, EMPTY_ANSWER);
    if (p->has_answer && seems_cut(p->answer))
        suspect(l, CUT_OFF);
    if ((p->form == F_PAIRS || p->form == F_TRANSCRIPTS) && p->answer.len &&
        hone_str_same(p->answer, p->other))
        suspect(l, SAME_SIDES);
    if (p->prompt.len > 20 && hone_str_same(p->prompt, p->answer))
        suspect(l, ECHO);
    if (broken(p->answer) || broken(p->prompt))
        suspect(l, BROKEN_TEXT);
    if (has_placeholder(p->answer) || has_placeholder(p->prompt))
        suspect(l, PLACEHOLDER);
    if (!l->side && p->form != F_TEXT && bytes > LONG_BYTES)
        suspect(l, TOO_LONG);
}

/* ---- tokens ------------------------------------------------------------------------------------------------ */

/* The row as messages with role and content; 0: it has none. */
static int as_messages(hone_look *l, const parts *p, hone_value *out)
{
    size_t n = p->talk ? p->talk->u.list.n : 2, k = 0;
    hone_message *m = hone_arena_calloc(&l->arena, n + 2, sizeof *m);
    if (!m)
        return 0;
    if (p->system.len)
        m[k++] = (hone_message){hone_str_c("system"), p->system};
    for (size_t i = 0; p->talk && i < n; i++) {
        char role = role_of(&p->talk->u.list.items[i]);
        if (!role)
            return 0;
        m[k++] = (hone_message){hone_str_c(role == 'u'   ? "user"
                                           : role == 'a' ? "assistant"
                                           : role == 's' ? "system"
                                                         : "tool"),
                                text_of(&p->talk->u.list.items[i])};
    }
    if (!p->talk)
        m[k++] = (hone_message){hone_str_c("user"), p->prompt};
    if (!p->talk || p->form == F_PAIRS)
        m[k++] = (hone_message){hone_str_c("assistant"), p->answer};
    return hone_chat_messages(m, k, &l->arena, out) >= 0;
}

/* The row's tokens, their mask; the length it has. */
static hone_status tokenize(hone_look *l, const parts *p, size_t *n)
{
    hone_value messages;
    l->tokens.want = HONE_TOKENS_SPANS | HONE_TOKENS_MASK;
    hone_tokens_clear(&l->tokens);
    hone_buf_clear(&l->text);
    if (l->side->chat && p->has_answer && p->form != F_TRANSCRIPTS) {
        hone_chat_options opt = {0};
        if (as_messages(l, p, &messages) &&
            hone_chat_encode(l->side->chat, &l->side->tokenizer, &messages, &opt, &l->tokens) >=
                0 &&
            hone_chat_render(l->side->chat, &messages, &opt, &l->text) >= 0) {
            *n = l->tokens.n;
            return HONE_OK;
        }
        suspect(l, NO_MASK);
        hone_tokens_clear(&l->tokens);
        hone_buf_clear(&l->text);
    }
    for (size_t i = 0; p->talk && i + (p->form != F_PAIRS) < p->talk->u.list.n; i++)
        hone_buf_add_str(&l->text, text_of(&p->talk->u.list.items[i]));
    hone_buf_add_str(&l->text, p->prompt);
    size_t at = l->text.len;
    hone_buf_add_str(&l->text, p->answer);
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

hone_status hone_look_create(const hone_text_side *side, int64_t masks, hone_look **out)
{
    hone_look *l = hone_calloc(1, sizeof *l);
    if (!l)
        return HONE_E_NOMEM;
    hone_buf_init(&l->shown, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&l->text, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&l->words, HONE_BUF_MAX_DEFAULT);
    hone_tokens_init(&l->tokens, HONE_TOKENS_SPANS | HONE_TOKENS_MASK);
    hone_arena_init(&l->arena, 0);
    l->side = side;
    l->masks = masks;
    l->lengths = hone_calloc(N_LENGTHS, sizeof *l->lengths);
    if (!l->lengths) {
        hone_look_destroy(l);
        return HONE_E_NOMEM;
    }
    *out = l;
    return HONE_OK;
}

void hone_look_destroy(hone_look *l)
{
    if (!l)
        return;
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
    size_t n;
    l->rows++;
    hone_arena_clear(&l->arena);
    take_apart(row, &p);
    l->form[p.form]++;
    hone_buf_clear(&l->words);
    hone_jw_init(&w, &l->words, 0);
    hone_jw_value(&w, row);
    HONE_TRY(hone_buf_check(&l->words, "a row"));
    HONE_TRY(remember(&l->exact, hone_buf_str(&l->words)));
    hone_buf_clear(&l->words);
    n = p.prompt.len + p.answer.len + p.other.len;
    if (p.talk) {
        n = p.other.len + (p.form == F_PAIRS ? p.answer.len : 0);
        for (size_t i = 0; i < p.talk->u.list.n; i++) {
            hone_str s = text_of(&p.talk->u.list.items[i]);
            n += s.len;
            add_plain(&l->words, s);
        }
    }
    add_plain(&l->words, p.prompt);
    add_plain(&l->words, p.answer);
    add_plain(&l->words, p.other);
    HONE_TRY(hone_buf_check(&l->words, "a row"));
    if (p.form != F_OTHER)
        HONE_TRY(remember(&l->near, hone_buf_str(&l->words)));
    check_texts(l, &p, n);
    if (l->side && p.form != F_OTHER) {
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
        hone_jw_key(w, "first");
        hone_jw_list(w);
        for (int k = 0; k < EXAMPLES && k < l->found[i]; k++)
            hone_jw_i64(w, l->example[i][k]);
        hone_jw_end(w);
        hone_jw_end(w);
    }
    hone_jw_end(w);
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
        hone_buf_addf(b, "%s)\n", l->found[i] > EXAMPLES ? ", ..." : "");
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
