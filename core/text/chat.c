/* chat.c - messages through a chat template, and what of the result the assistant wrote (see chat.h).
 *
 * Without {% generation %} blocks the assistant's text is found by comparison. With R(k, g) the rendering of the
 * first k messages, with (g = 1) or without generation prompt, and R = R(n, 0), turn i of the assistant is
 *
 *     R from the end of R(i, 1) to the end of R(i + 1, 0)
 *
 * as far as those are prefixes of R: where one is not (a template that opens a thought, or that writes the
 * next header whatever the flag says) the common part counts. Where that leaves nothing (a template that writes
 * the last turn in another form) a mark in place of the text shows where it stands. The round trip: the turn found must hold
 * the message's text, whole; else the conversation is refused, with the rendering shown. */
#include "text/chat.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

struct hone_chat {
    hone_jinja *template;
    char *source;
    size_t source_len;
    hone_str bos, eos; /* allocated, or {NULL, 0} */
};

static hone_status copy(hone_str in, hone_str *out)
{
    if (!in.ptr)
        return HONE_OK;
    out->ptr = hone_strndup(in.ptr, in.len);
    out->len = in.len;
    return out->ptr ? HONE_OK : HONE_E_NOMEM;
}

hone_status hone_chat_create(hone_str source, const char *name, hone_str bos, hone_str eos,
                             hone_chat **out)
{
    hone_chat *c = hone_calloc(1, sizeof *c);
    hone_status s;
    if (!c)
        return HONE_E_NOMEM;
    HONE_TRY_GOTO(hone_jinja_create(source, name ? name : "chat_template", &c->template), done);
    c->source = hone_strndup(source.ptr, source.len);
    c->source_len = source.len;
    s = c->source ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0)
        s = copy(bos, &c->bos);
    if (s >= 0)
        s = copy(eos, &c->eos);
done:
    if (s < 0) {
        hone_chat_destroy(c);
        return s;
    }
    *out = c;
    return HONE_OK;
}

void hone_chat_destroy(hone_chat *c)
{
    if (!c)
        return;
    hone_jinja_destroy(c->template);
    hone_free(c->source);
    hone_free((void *)(uintptr_t)c->bos.ptr);
    hone_free((void *)(uintptr_t)c->eos.ptr);
    hone_free(c);
}

hone_str hone_chat_source(const hone_chat *c)
{
    hone_str s = {c->source, c->source_len};
    return s;
}

/* ---- rendering ------------------------------------------------------------------------------------------- */
static hone_status check_messages(const hone_value *messages)
{
    if (!messages || messages->type != HONE_LIST)
        return hone_fail(HONE_E_TYPE, "messages: a list of maps with role and content is needed");
    for (size_t i = 0; i < messages->u.list.n; i++) {
        const hone_value *role = hone_value_get(&messages->u.list.items[i], "role");
        if (!role || role->type != HONE_STRING) {
            hone_fail(HONE_E_TYPE, "messages[%zu]: a map with the text \"role\" is needed", i);
            return hone_fail_hint(
                "ShareGPT's from/value pairs are turned into role/content by the data reader");
        }
    }
    return HONE_OK;
}

static void set(hone_pair *p, const char *key, hone_value v)
{
    p->key = hone_str_c(key);
    p->value = v;
}

enum { OWN_VARS = 6 };

/* The first `n` messages. `spans` gets generation blocks, or NULL. */
static hone_status render(const hone_chat *c, const hone_value *messages, size_t n,
                          int generation_prompt, const hone_chat_options *opt,
                          hone_byte_spans *spans, hone_buf *out)
{
    const hone_value none = {.type = HONE_NULL};
    hone_value first = *messages, flag = {.type = HONE_BOOL}, text = {.type = HONE_STRING},
               vars = {.type = HONE_MAP};
    size_t k = 0,
           extra = opt && opt->extra && opt->extra->type == HONE_MAP ? opt->extra->u.map.n : 0,
           total;
    if (!hone_add_size(extra, OWN_VARS, &total))
        return hone_fail(HONE_E_LIMIT, "too many template variables");
    hone_pair *pairs = hone_calloc(total, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    first.u.list.n = n;
    flag.u.boolean = generation_prompt;
    set(&pairs[k++], "messages", first);
    set(&pairs[k++], "tools", opt && opt->tools ? *opt->tools : none);
    set(&pairs[k++], "documents", opt && opt->documents ? *opt->documents : none);
    set(&pairs[k++], "add_generation_prompt", flag);
    text.u.str = c->bos;
    if (c->bos.ptr)
        set(&pairs[k++], "bos_token", text);
    text.u.str = c->eos;
    if (c->eos.ptr)
        set(&pairs[k++], "eos_token", text);
    for (size_t i = 0; i < extra; i++) {
        size_t at = 0;
        while (at < k && !hone_str_same(pairs[at].key, opt->extra->u.map.pairs[i].key))
            at++;
        pairs[at] = opt->extra->u.map.pairs[i];
        k += at == k;
    }
    vars.u.map.pairs = pairs;
    vars.u.map.n = k;
    hone_jinja_options jo = {.now = opt && opt->now ? opt->now : HONE_JINJA_NO_CLOCK,
                             .generation = spans,
                             .raised = opt ? opt->raised : NULL};
    hone_status s = hone_jinja_render(c->template, &vars, &jo, out);
    hone_free(pairs);
    return s;
}

hone_status hone_chat_render(const hone_chat *c, const hone_value *messages,
                             const hone_chat_options *opt, hone_buf *out)
{
    HONE_TRY(check_messages(messages));
    return render(c, messages, messages->u.list.n, opt && opt->add_generation_prompt, opt, NULL,
                  out);
}

hone_status hone_chat_messages(const hone_message *messages, size_t n, hone_arena *arena,
                               hone_value *out)
{
    hone_value *items = hone_arena_calloc(arena, n + 1, sizeof *items);
    if (!items)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        hone_pair *p = hone_arena_calloc(arena, 2, sizeof *p);
        hone_value v = {.type = HONE_STRING};
        if (!p)
            return HONE_E_NOMEM;
        v.u.str = messages[i].role;
        set(&p[0], "role", v);
        v.u.str = messages[i].content;
        set(&p[1], "content", v);
        items[i].type = HONE_MAP;
        items[i].u.map.pairs = p;
        items[i].u.map.n = 2;
    }
    memset(out, 0, sizeof *out);
    out->type = HONE_LIST;
    out->u.list.items = items;
    out->u.list.n = n;
    return HONE_OK;
}

hone_status hone_chat_render_messages(const hone_chat *c, const hone_message *messages, size_t n,
                                      const hone_chat_options *opt, hone_buf *out)
{
    hone_arena arena;
    hone_value list;
    hone_arena_init(&arena, 0);
    hone_status s = hone_chat_messages(messages, n, &arena, &list);
    if (s >= 0)
        s = hone_chat_render(c, &list, opt, out);
    hone_arena_release(&arena);
    return s;
}

/* ---- whose text is it -------------------------------------------------------------------------------------- */
static size_t common_start(hone_str a, hone_str b)
{
    size_t i = 0;
    while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i])
        i++;
    while (i > 0 && i < a.len && ((unsigned char)a.ptr[i] & 0xC0) == 0x80)
        i--; /* not inside a character */
    return i;
}

static size_t common_end(hone_str a, hone_str b)
{
    size_t i = 0;
    while (i < a.len && i < b.len && a.ptr[a.len - 1 - i] == b.ptr[b.len - 1 - i])
        i++;
    while (i > 0 && ((unsigned char)a.ptr[a.len - i] & 0xC0) == 0x80)
        i--;
    return i;
}

static hone_str trimmed(hone_str s)
{
    while (s.len && strchr(" \t\r\n", s.ptr[0]) && s.ptr[0]) {
        s.ptr++;
        s.len--;
    }
    while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
        s.len--;
    return s;
}

static int is_assistant(const hone_value *message)
{
    const hone_value *role = hone_value_get(message, "role");
    return hone_str_eq(role->u.str, "assistant") || hone_str_eq(role->u.str, "model");
}

/* The last end of the message's text in `turn`, or SIZE_MAX when it is not there whole. A thought that the
 * template takes out of earlier turns may be missing. */
static size_t text_end(const hone_value *message, hone_str turn)
{
    const hone_value *content = hone_value_get(message, "content");
    if (!content || content->type != HONE_STRING)
        return 0;
    hone_str want = trimmed(content->u.str);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (want.len == 0)
            return 0;
        const char *p = want.len <= turn.len ? memmem(turn.ptr, turn.len, want.ptr, want.len)
                                             : NULL;
        if (p)
            return (size_t)(p - turn.ptr) + want.len;
        static const char mark[] = "</think>";
        const char *behind = NULL;
        for (size_t i = 0; i + sizeof mark - 1 <= want.len; i++)
            if (memcmp(want.ptr + i, mark, sizeof mark - 1) == 0)
                behind = want.ptr + i + sizeof mark - 1;
        if (!behind)
            return SIZE_MAX;
        want.len -= (size_t)(behind - want.ptr);
        want.ptr = behind;
        want = trimmed(want);
    }
    return SIZE_MAX;
}

static hone_status refuse(size_t turn, const char *why, hone_str text)
{
    hone_fail(HONE_E_INVALID,
              "chat template: which text of message %zu is the assistant's cannot be told: %s",
              turn, why);
    hone_fail_detail("%.*s", (int)(text.len < 900 ? text.len : 900), text.ptr);
    return hone_fail_hint("put {%% generation %%} ... {%% endgeneration %%} around the assistant's "
                          "text in the template");
}

/* `messages` with another content in message i; lives in the arena. */
static hone_status with_content(const hone_value *messages, size_t i, hone_str content,
                                hone_arena *arena, hone_value *out)
{
    const hone_value *m = &messages->u.list.items[i];
    hone_value *items = hone_arena_calloc(arena, messages->u.list.n, sizeof *items);
    hone_pair *pairs = hone_arena_calloc(arena, m->u.map.n, sizeof *pairs);
    if (!items || !pairs)
        return HONE_E_NOMEM;
    memcpy(items, messages->u.list.items, messages->u.list.n * sizeof *items);
    memcpy(pairs, m->u.map.pairs, m->u.map.n * sizeof *pairs);
    for (size_t k = 0; k < m->u.map.n; k++)
        if (hone_str_eq(pairs[k].key, "content"))
            pairs[k].value.u.str = content;
    items[i].u.map.pairs = pairs;
    *out = *messages;
    out->u.list.items = items;
    return HONE_OK;
}

/* The second way, for templates that write earlier turns in another form than the last (they take thoughts out, or put
 * empty ones in): the whole is rendered with a mark for the message's text. Where that is the rendering but for
 * the text, the text is found; what ends the turn is what follows the mark when the turn is the last. */
static int mark_turn(const hone_chat *c, const hone_value *messages, size_t i,
                     const hone_chat_options *opt, hone_str whole, hone_str before,
                     int ignores_flag, hone_byte_spans *spans)
{
    static const char mark[] = "Zq7hone7qZ";
    const hone_str mark_str = {mark, sizeof mark - 1};
    const hone_value *content = hone_value_get(&messages->u.list.items[i], "content");
    hone_arena arena;
    hone_value marked;
    hone_buf all, upto;
    int found = 0;
    if (!content || content->type != HONE_STRING ||
        memmem(whole.ptr, whole.len, mark, mark_str.len))
        return 0;
    hone_arena_init(&arena, 0);
    hone_buf_init(&all, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&upto, HONE_BUF_MAX_DEFAULT);
    if (with_content(messages, i, mark_str, &arena, &marked) < 0 ||
        render(c, &marked, messages->u.list.n, 0, opt, NULL, &all) < 0 ||
        render(c, &marked, i + 1, 0, opt, NULL, &upto) < 0)
        goto done;
    const char *at = memmem(all.ptr, all.len, mark, mark_str.len);
    const char *last = memmem(upto.ptr, upto.len, mark, mark_str.len);
    if (!at || !last)
        goto done;
    size_t k = (size_t)(at - all.ptr), rest = all.len - k - mark_str.len;
    if (k + rest > whole.len || memcmp(whole.ptr, all.ptr, k) != 0 ||
        memcmp(whole.ptr + whole.len - rest, at + mark_str.len, rest) != 0)
        goto done;
    hone_str text = {whole.ptr + k, whole.len - rest - k};
    if (text_end(&messages->u.list.items[i], text) != text.len || text.len == 0)
        goto done;
    hone_str behind = {whole.ptr + whole.len - rest, rest},
             tail = {last + mark_str.len, upto.len - (size_t)(last - upto.ptr) - mark_str.len};
    size_t ends = common_start(behind, tail), begin = common_start(whole, before);
    if (ignores_flag) {
        size_t header = common_end(before, tail);
        ends = ends > tail.len - header ? tail.len - header : ends;
    }
    found = hone_byte_spans_add(spans, begin < k ? begin : k, whole.len - rest + ends) >= 0;
done:
    hone_buf_release(&all);
    hone_buf_release(&upto);
    hone_arena_release(&arena);
    return found;
}

static hone_status compare_turn(const hone_chat *c, const hone_value *messages, size_t i,
                                const hone_chat_options *opt, hone_str whole, int ignores_flag,
                                hone_buf *before, hone_buf *after, hone_byte_spans *spans)
{
    size_t n = messages->u.list.n;
    hone_str none = {"", 0};
    hone_buf_clear(before);
    hone_buf_clear(after);
    if (render(c, messages, i, 1, opt, NULL, before) < 0) {
        char why[600];
        snprintf(why, sizeof why, "rendering what stands before it fails: %s",
                 hone_error_get()->what);
        return mark_turn(c, messages, i, opt, whole, whole, 0, spans) ? HONE_OK
                                                                      : refuse(i, why, whole);
    }
    if (i + 1 < n && render(c, messages, i + 1, 0, opt, NULL, after) < 0)
        return refuse(i, "rendering up to it fails", whole);
    hone_str p = before->len ? hone_buf_str(before) : none,
             e = i + 1 < n ? hone_buf_str(after) : whole;
    size_t begin = common_start(whole, p), end = common_start(whole, e);
    if (ignores_flag) { /* the header of a next turn that is always written is nobody's text */
        size_t tail = common_end(p, e);
        if (end > e.len - tail)
            end = e.len - tail;
    }
    hone_str turn = {whole.ptr + begin, end > begin ? end - begin : 0};
    if (begin < end && text_end(&messages->u.list.items[i], turn) != SIZE_MAX)
        return hone_byte_spans_add(spans, begin, end);
    if (begin < end && ignores_flag) { /* the tail took part of the text: give it back */
        hone_str longer = {whole.ptr + begin, common_start(whole, e) - begin};
        size_t at = text_end(&messages->u.list.items[i], longer);
        if (at != SIZE_MAX)
            return hone_byte_spans_add(spans, begin, begin + at);
    }
    if (mark_turn(c, messages, i, opt, whole, p, ignores_flag, spans))
        return HONE_OK;
    return refuse(i,
                  begin < end ? "its text is not found in what the template writes for it"
                              : "the renderings before and after it do not differ",
                  whole);
}

hone_status hone_chat_render_spans(const hone_chat *c, const hone_value *messages,
                                   const hone_chat_options *opt, hone_buf *out,
                                   hone_byte_spans *assistant)
{
    size_t start = out->len, n_spans = assistant->n;
    hone_status s;
    HONE_TRY(check_messages(messages));
    size_t n = messages->u.list.n;
    if (hone_jinja_has_generation(c->template))
        return render(c, messages, n, 0, opt, assistant, out);
    hone_buf flagged, before, after;
    hone_buf_init(&flagged, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&before, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&after, HONE_BUF_MAX_DEFAULT);
    HONE_TRY_GOTO(render(c, messages, n, 0, opt, NULL, out), done);
    HONE_TRY_GOTO(render(c, messages, n, 1, opt, NULL, &flagged), done);
    hone_str whole = {out->ptr + start, out->len - start};
    int ignores_flag = hone_str_same(whole, hone_buf_str(&flagged));
    for (size_t i = 0; i < n && s >= 0; i++)
        if (is_assistant(&messages->u.list.items[i]))
            s = compare_turn(c, messages, i, opt, whole, ignores_flag, &before, &after, assistant);
    for (size_t i = n_spans; i < assistant->n && s >= 0; i++) {
        if (i > n_spans && assistant->v[i].begin < assistant->v[i - 1].end - start)
            s = refuse(i, "two turns overlap", whole);
        assistant->v[i].begin += start;
        assistant->v[i].end += start;
    }
done:
    hone_buf_release(&flagged);
    hone_buf_release(&before);
    hone_buf_release(&after);
    if (s < 0) {
        assistant->n = n_spans;
        out->len = start;
        if (out->cap)
            out->ptr[start] = 0;
    }
    return s;
}

/* ---- tokens --------------------------------------------------------------------------------------------------- */
hone_status hone_chat_prompt(const hone_chat *c, const hone_tokenizer *t,
                             const hone_value *messages, const hone_chat_options *opt,
                             hone_tokens *out)
{
    hone_buf text;
    hone_buf_init(&text, HONE_BUF_MAX_DEFAULT);
    hone_status s = hone_chat_render(c, messages, opt, &text);
    if (s >= 0)
        s = hone_tokenizer_encode(t, hone_buf_str(&text), HONE_ENCODE_SPECIAL, out);
    hone_buf_release(&text);
    return s;
}

/* Text [begin, end) to tokens whose spans count from the whole text's start, all with the same mask. */
static hone_status add_part(const hone_tokenizer *t, hone_str whole, size_t begin, size_t end,
                            int mask, hone_tokens *out)
{
    hone_str part = {whole.ptr + begin, end - begin};
    size_t first = out->n;
    HONE_TRY(hone_tokenizer_encode(t, part, HONE_ENCODE_SPECIAL, out));
    for (size_t i = first; i < out->n; i++) {
        out->spans[i].begin += (uint32_t)begin;
        out->spans[i].end += (uint32_t)begin;
        out->mask[i] = (uint8_t)mask;
    }
    return HONE_OK;
}

/* Does some token lie across a border of a turn? Fills the mask otherwise. */
static int crosses(const hone_byte_spans *spans, hone_tokens *out)
{
    size_t k = 0;
    for (size_t i = 0; i < out->n; i++) {
        hone_span32 s = out->spans[i];
        while (k < spans->n && spans->v[k].end <= s.begin)
            k++;
        out->mask[i] = 0;
        if (k == spans->n || s.begin == s.end)
            continue;
        size_t begin = spans->v[k].begin, end = spans->v[k].end;
        if (s.begin >= begin && s.end <= end)
            out->mask[i] = 1;
        else if (s.end > begin)
            return 1;
    }
    return 0;
}

static int is_space(hone_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr(" \t\r\n", s.ptr[i]) || !s.ptr[i])
            return 0;
    return 1;
}

/* White space behind the special token that ends a turn is the template's. */
static void unmask_tails(const hone_tokenizer *t, hone_str whole, hone_tokens *out)
{
    for (size_t i = out->n; i-- > 0;) {
        if (!out->mask[i] || (i + 1 < out->n && out->mask[i + 1]))
            continue;
        size_t last = i;
        hone_str text = {whole.ptr + out->spans[last].begin,
                         out->spans[last].end - out->spans[last].begin};
        while (last > 0 && out->mask[last - 1] && is_space(text)) {
            last--;
            text.ptr = whole.ptr + out->spans[last].begin;
            text.len = out->spans[last].end - out->spans[last].begin;
        }
        if (hone_tokenizer_is_special(t, out->ids[last]))
            memset(out->mask + last + 1, 0, i - last);
    }
}

/* Only what follows the given messages is trained on, even if they hold assistant turns. */
static hone_status unmask_given(const hone_chat *c, const hone_tokenizer *t,
                                const hone_value *messages, const hone_chat_options *opt,
                                hone_tokens *out)
{
    hone_tokens prompt;
    hone_chat_options head_opt = *opt;
    size_t n = opt->given < messages->u.list.n ? opt->given : messages->u.list.n;
    hone_value head = {.type = HONE_LIST, .u.list = {messages->u.list.items, n}};
    head_opt.add_generation_prompt = 1;
    hone_tokens_init(&prompt, 0);
    hone_status s = hone_chat_prompt(c, t, &head, &head_opt, &prompt);
    for (size_t i = 0; s >= 0 && i < prompt.n && i < out->n && prompt.ids[i] == out->ids[i]; i++)
        out->mask[i] = 0;
    hone_tokens_release(&prompt);
    return s;
}

hone_status hone_chat_encode(const hone_chat *c, const hone_tokenizer *t,
                             const hone_value *messages, const hone_chat_options *opt,
                             hone_tokens *out)
{
    hone_buf text;
    hone_byte_spans spans;
    hone_status s;
    out->want |= HONE_TOKENS_SPANS | HONE_TOKENS_MASK;
    hone_tokens_clear(out);
    hone_buf_init(&text, HONE_BUF_MAX_DEFAULT);
    hone_byte_spans_init(&spans);
    HONE_TRY_GOTO(hone_chat_render_spans(c, messages, opt, &text, &spans), done);
    hone_str whole = hone_buf_str(&text);
    HONE_TRY_GOTO(hone_tokenizer_encode(t, whole, HONE_ENCODE_SPECIAL, out), done);
    if (crosses(&spans, out)) {
        /* a token joins the prompt's end and the answer's beginning: cut there, as generation does */
        size_t at = 0;
        hone_tokens_clear(out);
        for (size_t i = 0; i < spans.n; i++) {
            HONE_TRY_GOTO(add_part(t, whole, at, spans.v[i].begin, 0, out), done);
            HONE_TRY_GOTO(add_part(t, whole, spans.v[i].begin, spans.v[i].end, 1, out), done);
            at = spans.v[i].end;
        }
        HONE_TRY_GOTO(add_part(t, whole, at, whole.len, 0, out), done);
    }
    unmask_tails(t, whole, out);
    size_t ones = 0;
    for (size_t i = 0; i < out->n; i++)
        ones += out->mask[i];
    if (ones == 0 || ones == out->n) {
        s = hone_fail(HONE_E_INVALID,
                      "chat template: the loss mask is %s: %zu of %zu tokens are the assistant's",
                      ones ? "total" : "empty", ones, out->n);
        hone_fail_detail("%.*s", (int)(whole.len < 900 ? whole.len : 900), whole.ptr);
        hone_fail_hint("the conversation needs a message of role \"assistant\" and one before it");
    } else if (opt && opt->given) {
        s = unmask_given(c, t, messages, opt, out);
    }
done:
    hone_byte_spans_release(&spans);
    hone_buf_release(&text);
    if (s < 0)
        hone_tokens_clear(out);
    return s;
}
