/* quality_measure.c - the measures behind quality.h's rules.
 *
 * The text is cut once: into tokens (as word tokenizers cut: a run of letters, digits and marks with the ' and - inside it, or one mark of
 * punctuation), lines and paragraphs. What was there before is told by 64-bit hashes in a table that is as large as the text has pieces.
 * Lengths are characters, not bytes. The commonest n-gram's length counts a blank between its words, that of repeated ones does not,
 * as the published program has them (datatrove). */
#include "curate/quality_private.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/utf8.h"

#include <string.h>

typedef struct token {
    uint64_t hash; /* of its bytes as they stand */
    uint32_t from, len, chars;
    unsigned char is_word, alphabetic;
} token;

typedef struct span {
    hone_str text;
    uint64_t hash;
    uint32_t chars; /* without white space at its ends */
} span;

typedef struct seen_slot {
    uint64_t hash;
    uint32_t count, chars;
} seen_slot;

struct hone_quality_scratch {
    token *tokens;
    span *lines, *paragraphs;
    seen_slot *seen;
    size_t n_tokens, cap_tokens, n_lines, cap_lines, n_paragraphs, cap_paragraphs, cap_seen;
    hone_buf low;
    hone_words words; /* for lists of them */
    size_t chars;     /* of the whole text */
};

hone_status hone_quality_scratch_create(hone_quality_scratch **out)
{
    hone_quality_scratch *s = hone_calloc(1, sizeof *s);
    if (!s)
        return HONE_E_NOMEM;
    hone_buf_init(&s->low, HONE_BUF_MAX_DEFAULT);
    hone_words_init(&s->words);
    *out = s;
    return HONE_OK;
}

void hone_quality_scratch_destroy(hone_quality_scratch *s)
{
    if (!s)
        return;
    hone_buf_release(&s->low);
    hone_words_release(&s->words);
    hone_free(s->tokens);
    hone_free(s->lines);
    hone_free(s->paragraphs);
    hone_free(s->seen);
    hone_free(s);
}

/* ---- cutting ------------------------------------------------------------------------------------------------------ */

static hone_status grow(void **p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return HONE_OK;
    size_t more = *cap ? 2 * *cap : 256;
    void *grown = hone_reallocarray(*p, more, size);
    if (!grown)
        return HONE_E_NOMEM;
    *p = grown;
    *cap = more;
    return HONE_OK;
}

static size_t chars_of(hone_str t)
{
    size_t n = 0;
    for (size_t i = 0; i < t.len; i++)
        n += ((unsigned char)t.ptr[i] & 0xC0) != 0x80;
    return n;
}

static int is_blank(char c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

static hone_str trim(hone_str t)
{
    while (t.len && is_blank(t.ptr[0])) {
        t.ptr++;
        t.len--;
    }
    while (t.len && is_blank(t.ptr[t.len - 1]))
        t.len--;
    return t;
}

static hone_status add_token(hone_quality_scratch *s, hone_str text, size_t from, size_t to,
                             int is_word, int alphabetic)
{
    HONE_TRY(grow((void **)&s->tokens, s->n_tokens, &s->cap_tokens, sizeof *s->tokens));
    const hone_str t = {text.ptr + from, to - from};
    s->tokens[s->n_tokens++] = (token){.hash = hone_xxh64(t.ptr, t.len, 0),
                                       .from = (uint32_t)from,
                                       .len = (uint32_t)t.len,
                                       .chars = (uint32_t)chars_of(t),
                                       .is_word = (unsigned char)is_word,
                                       .alphabetic = (unsigned char)alphabetic};
    return HONE_OK;
}

static hone_status cut_tokens(hone_quality_scratch *s, hone_str t)
{
    size_t from = 0;
    int in_word = 0, alphabetic = 0;
    s->n_tokens = 0;
    for (size_t i = 0; i < t.len;) {
        uint32_t c = (unsigned char)t.ptr[i];
        const int n = c < 0x80 ? 1 : hone_utf8_step(t, i, &c);
        if (n <= 0)
            return hone_fail(HONE_E_PARSE, "a text is not well-formed UTF-8");
        const int kind = hone_char_kind(c);
        const char next = i + 1 < t.len ? t.ptr[i + 1] : ' ';
        const int inside = in_word && (c == '\'' || c == '-' || c == 0x2019) &&
                           ((unsigned char)next >= 0x80 ||
                            hone_char_kind((unsigned char)next) == HONE_CHAR_WORD);
        if (kind == HONE_CHAR_WORD || inside) {
            from = in_word ? from : i;
            alphabetic = (in_word && alphabetic) || hone_utf8_is_letter(c);
            in_word = 1;
        } else {
            if (in_word)
                HONE_TRY(add_token(s, t, from, i, 1, alphabetic));
            in_word = 0;
            if (kind != HONE_CHAR_SPACE)
                HONE_TRY(add_token(s, t, i, i + (size_t)n, kind == HONE_CHAR_ALONE,
                                   hone_utf8_is_letter(c)));
        }
        i += (size_t)n;
    }
    return in_word ? add_token(s, t, from, t.len, 1, alphabetic) : HONE_OK;
}

static hone_status add_span(span **v, size_t *n, size_t *cap, hone_str text)
{
    HONE_TRY(grow((void **)v, *n, cap, sizeof **v));
    (*v)[*n] = (span){text, hone_xxh64(text.ptr, text.len, 0), (uint32_t)chars_of(text)};
    ++*n;
    return HONE_OK;
}

/* Lines that say something; paragraphs are parted by empty lines. */
static hone_status cut_lines(hone_quality_scratch *s, hone_str t)
{
    const char *paragraph = NULL, *end = t.ptr + t.len, *last = NULL;
    s->n_lines = s->n_paragraphs = 0;
    for (const char *p = t.ptr; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline ? newline : end;
        const hone_str line = trim((hone_str){p, (size_t)(stop - p)});
        if (line.len) {
            HONE_TRY(add_span(&s->lines, &s->n_lines, &s->cap_lines, line));
            paragraph = paragraph ? paragraph : line.ptr;
            last = line.ptr + line.len;
        } else if (paragraph) {
            HONE_TRY(add_span(&s->paragraphs, &s->n_paragraphs, &s->cap_paragraphs,
                              (hone_str){paragraph, (size_t)(last - paragraph)}));
            paragraph = NULL;
        }
        p = stop + 1;
    }
    return paragraph ? add_span(&s->paragraphs, &s->n_paragraphs, &s->cap_paragraphs,
                                (hone_str){paragraph, (size_t)(last - paragraph)})
                     : HONE_OK;
}

/* ---- what was there before ------------------------------------------------------------------------------------------ */

static hone_status clear_seen(hone_quality_scratch *s, size_t n)
{
    size_t cap = 64;
    while (cap < 2 * n)
        cap *= 2;
    if (cap > s->cap_seen) {
        hone_free(s->seen);
        s->cap_seen = 0;
        s->seen = hone_calloc(cap, sizeof *s->seen);
        if (!s->seen)
            return HONE_E_NOMEM;
        s->cap_seen = cap;
        return HONE_OK;
    }
    memset(s->seen, 0, s->cap_seen * sizeof *s->seen);
    return HONE_OK;
}

static seen_slot *slot_of(hone_quality_scratch *s, uint64_t hash)
{
    hash += hash == 0;
    size_t i = hash & (s->cap_seen - 1);
    while (s->seen[i].hash && s->seen[i].hash != hash)
        i = (i + 1) & (s->cap_seen - 1);
    s->seen[i].hash = hash;
    return &s->seen[i];
}

static hone_status repeated(hone_quality_scratch *s, const span *v, size_t n, size_t *pieces,
                            size_t *chars)
{
    *pieces = *chars = 0;
    HONE_TRY(clear_seen(s, n));
    for (size_t i = 0; i < n; i++)
        if (slot_of(s, v[i].hash)->count++) {
            ++*pieces;
            *chars += v[i].chars;
        }
    return HONE_OK;
}

static uint64_t gram_hash(const token *t, size_t n)
{
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ t[i].hash) * 0x9E3779B97F4A7C15ull;
        h ^= h >> 29;
    }
    return h;
}

static size_t gram_chars(const token *t, size_t n)
{
    size_t chars = n - 1;
    for (size_t i = 0; i < n; i++)
        chars += t[i].chars;
    return chars;
}

/* Characters in the commonest n-gram, of equally common ones the first; 0 when none stands twice. */
static hone_status top_gram(hone_quality_scratch *s, size_t n, size_t *chars)
{
    size_t most = 1;
    *chars = 0;
    if (s->n_tokens < n)
        return HONE_OK;
    HONE_TRY(clear_seen(s, s->n_tokens));
    for (size_t i = 0; i + n <= s->n_tokens; i++) {
        seen_slot *slot = slot_of(s, gram_hash(s->tokens + i, n));
        if (++slot->count > most) {
            most = slot->count;
            *chars = most * gram_chars(s->tokens + i, n);
        }
    }
    return HONE_OK;
}

/* Characters in n-grams that were there before, none counted twice, without the blanks between their words. */
static hone_status repeated_grams(hone_quality_scratch *s, size_t n, size_t *chars)
{
    *chars = 0;
    HONE_TRY(clear_seen(s, s->n_tokens));
    for (size_t i = 0; i + n <= s->n_tokens;) {
        if (slot_of(s, gram_hash(s->tokens + i, n))->count++) {
            *chars += gram_chars(s->tokens + i, n) - (n - 1);
            i += n;
        } else {
            i++;
        }
    }
    return HONE_OK;
}

/* ---- parts of texts ------------------------------------------------------------------------------------------------- */

static int ends_with(hone_str t, const char *end)
{
    const size_t n = strlen(end);
    return t.len >= n && memcmp(t.ptr + t.len - n, end, n) == 0;
}

static int begins_with(hone_str t, const char *begin)
{
    const size_t n = strlen(begin);
    return t.len >= n && memcmp(t.ptr, begin, n) == 0;
}

static size_t count_of(hone_str t, const char *what)
{
    const size_t n = strlen(what);
    size_t found = 0;
    for (size_t i = 0; i + n <= t.len;) {
        const char *p = memchr(t.ptr + i, what[0], t.len - i - n + 1);
        if (!p)
            break;
        const int here = memcmp(p, what, n) == 0;
        found += (size_t)here;
        i = (size_t)(p - t.ptr) + (here ? n : 1);
    }
    return found;
}

static int ends_ellipsis(hone_str t)
{
    return ends_with(t, "...") || ends_with(t, "\xE2\x80\xA6");
}

/* Marks that end a sentence or a quotation, with those of other scripts. */
static int ends_punctuated(hone_str t)
{
    static const char *const ends[] = {".",
                                       "!",
                                       "?",
                                       "\"",
                                       "'",
                                       "\xE2\x80\x9D",
                                       "\xE2\x80\x99",
                                       "\xE2\x80\xA6",
                                       "\xE3\x80\x82",
                                       "\xEF\xBC\x81",
                                       "\xEF\xBC\x9F",
                                       "\xD8\x9F",
                                       "\xDB\x94",
                                       "\xE0\xA5\xA4"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(t, ends[i]))
            return 1;
    return 0;
}

static int is_bullet(hone_str line)
{
    return begins_with(line, "\xE2\x80\xA2") || begins_with(line, "\xE2\x80\xA3") ||
           begins_with(line, "\xE2\x97\xA6") || begins_with(line, "\xE2\x96\xAA") ||
           begins_with(line, "-") || begins_with(line, "* ");
}

static double share(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* ---- the sets ------------------------------------------------------------------------------------------------------- */

static void gopher(const hone_quality_scratch *s, hone_str t, double *v)
{
    static const char *const stop[] = {"the", "be", "to", "of", "and", "that", "have", "with"};
    size_t words = 0, chars = 0, alphabetic = 0, bullets = 0, ellipses = 0;
    unsigned stops = 0; /* a bit for each that is there */
    for (size_t i = 0; i < s->n_tokens; i++) {
        const token *k = &s->tokens[i];
        if (!k->is_word)
            continue;
        words++;
        chars += k->chars;
        alphabetic += k->alphabetic;
        for (size_t w = 0; k->len <= 4 && w < sizeof stop / sizeof *stop; w++)
            stops |= (unsigned)(strlen(stop[w]) == k->len &&
                                memcmp(t.ptr + k->from, stop[w], k->len) == 0)
                     << w;
    }
    for (size_t i = 0; i < s->n_lines; i++) {
        bullets += (size_t)is_bullet(s->lines[i].text);
        ellipses += (size_t)ends_ellipsis(s->lines[i].text);
    }
    v[HONE__Q_MIN_WORDS] = v[HONE__Q_MAX_WORDS] = (double)words;
    v[HONE__Q_MIN_WORD_LENGTH] = v[HONE__Q_MAX_WORD_LENGTH] = share(chars, words);
    v[HONE__Q_HASHES] = share(count_of(t, "#"), words);
    v[HONE__Q_ELLIPSES] = share(count_of(t, "...") + count_of(t, "\xE2\x80\xA6"), words);
    v[HONE__Q_BULLET_LINES] = share(bullets, s->n_lines);
    v[HONE__Q_ELLIPSIS_LINES] = share(ellipses, s->n_lines);
    v[HONE__Q_ALPHABETIC] = share(alphabetic, words);
    for (v[HONE__Q_STOP_WORDS] = 0; stops; stops &= stops - 1)
        v[HONE__Q_STOP_WORDS]++;
}

static hone_status repetition(const hone_quality *q, hone_quality_scratch *s, double *v)
{
    size_t pieces, chars;
    HONE_TRY(repeated(s, s->lines, s->n_lines, &pieces, &chars));
    v[HONE__Q_DUP_LINES] = share(pieces, s->n_lines);
    v[HONE__Q_DUP_LINE_CHARS] = share(chars, s->chars);
    HONE_TRY(repeated(s, s->paragraphs, s->n_paragraphs, &pieces, &chars));
    v[HONE__Q_DUP_PARAGRAPHS] = share(pieces, s->n_paragraphs);
    v[HONE__Q_DUP_PARAGRAPH_CHARS] = share(chars, s->chars);
    for (size_t n = 2; n <= 10; n++) {
        const size_t rule = HONE__Q_TOP_2 + n - 2;
        if (!q->on[rule])
            continue;
        HONE_TRY(n < 5 ? top_gram(s, n, &chars) : repeated_grams(s, n, &chars));
        v[rule] = share(chars, s->chars);
    }
    return HONE_OK;
}

/* The line in lower case, ASCII alone. */
static hone_status lower(hone_buf *out, hone_str t)
{
    hone_buf_clear(out);
    HONE_TRY(hone_buf_add_str(out, t));
    for (size_t i = 0; i < out->len; i++)
        if (out->ptr[i] >= 'A' && out->ptr[i] <= 'Z')
            out->ptr[i] |= 32;
    return HONE_OK;
}

static int speaks_of_policy(hone_str low)
{
    static const char *const phrases[] = {"terms of use", "privacy policy", "cookie policy",
                                          "uses cookies", "use of cookies", "use cookies"};
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (count_of(low, phrases[i]))
            return 1;
    return 0;
}

/* Sentences of a line: ends of sentences with a blank or nothing behind them; at least one. */
static size_t sentences_of(hone_str t)
{
    size_t n = 0;
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] != '.' && t.ptr[i] != '!' && t.ptr[i] != '?')
            continue;
        size_t k = i + 1;
        while (k < t.len && strchr(".!?\"')]", t.ptr[k]))
            k++;
        if (k == t.len || is_blank(t.ptr[k]))
            n++;
        i = k - 1;
    }
    return n ? n : 1;
}

/* Words of a line as white space parts them, and the characters of the longest. */
static size_t line_words(hone_str t, size_t *longest)
{
    size_t n = 0, from = 0;
    *longest = 0;
    for (size_t i = 0; i <= t.len; i++) {
        if (i < t.len && !is_blank(t.ptr[i]))
            continue;
        if (i > from) {
            const size_t chars = chars_of((hone_str){t.ptr + from, i - from});
            *longest = chars > *longest ? chars : *longest;
            n++;
        }
        from = i + 1;
    }
    return n;
}

/* Without what an encyclopedia puts behind a sentence: [1], [edit], [citation needed]. */
static hone_str without_citations(hone_str t)
{
    while (t.len > 1 && t.ptr[t.len - 1] == ']') {
        size_t i = t.len - 1;
        while (i > 0 && t.ptr[i - 1] >= '0' && t.ptr[i - 1] <= '9')
            i--;
        if (i > 0 && t.ptr[i - 1] == '[')
            t.len = i - 1;
        else if (ends_with(t, "[edit]"))
            t.len -= 6;
        else if (ends_with(t, "[citation needed]"))
            t.len -= 17;
        else
            break;
    }
    return t;
}

static hone_status c4(const hone_quality *q, hone_quality_scratch *s, hone_str t, double *v)
{
    size_t sentences = 0, lorem = 0, curly = 0;
    for (size_t i = 0; i < s->n_lines; i++) {
        hone_str line = s->lines[i].text;
        size_t longest, words = line_words(line, &longest);
        line = without_citations(line);
        HONE_TRY(lower(&s->low, line));
        const hone_str low = hone_buf_str(&s->low);
        if (q->on[HONE__Q_WORD_CHARS] && (double)longest > q->limit[HONE__Q_WORD_CHARS])
            continue;
        if (q->on[HONE__Q_TERMINAL] && q->limit[HONE__Q_TERMINAL] != 0 &&
            (ends_ellipsis(line) || !line.len || !strchr(".?!\"'", line.ptr[line.len - 1])))
            continue;
        if (q->on[HONE__Q_LINE_WORDS] && (double)words < q->limit[HONE__Q_LINE_WORDS])
            continue;
        lorem += count_of(low, "lorem ipsum");
        if (q->on[HONE__Q_JAVASCRIPT] && q->limit[HONE__Q_JAVASCRIPT] != 0 &&
            count_of(low, "javascript"))
            continue;
        curly += count_of(line, "{");
        if (q->on[HONE__Q_POLICY] && q->limit[HONE__Q_POLICY] != 0 && speaks_of_policy(low))
            continue;
        sentences += sentences_of(line);
    }
    if (q->bad_words && q->on[HONE__Q_BAD_WORDS]) {
        HONE_TRY(hone_words_of(&s->words, t));
        v[HONE__Q_BAD_WORDS] = (double)hone_phrases_count(q->bad_words, &s->words);
    }
    v[HONE__Q_SENTENCES] = (double)sentences;
    v[HONE__Q_LOREM] = (double)lorem;
    v[HONE__Q_CURLY] = (double)curly;
    return HONE_OK;
}

static hone_status fineweb(hone_quality_scratch *s, hone_str t, double *v)
{
    size_t punctuated = 0, brief = 0, pieces, chars;
    for (size_t i = 0; i < s->n_lines; i++) {
        punctuated += (size_t)ends_punctuated(s->lines[i].text);
        brief += s->lines[i].chars <= 30;
    }
    const size_t newlines = count_of(t, "\n");
    HONE_TRY(repeated(s, s->lines, s->n_lines, &pieces, &chars));
    v[HONE__Q_PUNCTUATED] = share(punctuated, s->n_lines);
    v[HONE__Q_SHORT_LINES] = share(brief, s->n_lines);
    v[HONE__Q_DUP_CHARS] = share(chars, s->chars - newlines);
    v[HONE__Q_NEWLINES] = share(newlines, s->n_tokens);
    return HONE_OK;
}

/* A rule that changes what others see, and is no reason by itself. */
static int only_shapes(size_t rule)
{
    return rule == HONE__Q_LINE_WORDS || rule == HONE__Q_WORD_CHARS || rule == HONE__Q_TERMINAL ||
           rule == HONE__Q_JAVASCRIPT || rule == HONE__Q_POLICY;
}

hone_status hone_quality_look(const hone_quality *q, hone_str text, hone_quality_scratch *s,
                              hone_quality_verdict *out)
{
    unsigned sets = 0;
    memset(out, 0, sizeof *out);
    if (text.len >= UINT32_MAX)
        return hone_fail(HONE_E_LIMIT, "a text of 4 GiB and more");
    for (size_t i = 0; i < HONE__Q_N; i++)
        if (q->on[i])
            sets |= 1u << hone_quality_rules[i].set;
    text = trim(text);
    s->chars = chars_of(text);
    HONE_TRY(cut_tokens(s, text));
    HONE_TRY(cut_lines(s, text));
    if (sets >> HONE_QUALITY_GOPHER & 1)
        gopher(s, text, out->value);
    if (sets >> HONE_QUALITY_GOPHER_REPETITION & 1)
        HONE_TRY(repetition(q, s, out->value));
    if (sets >> HONE_QUALITY_C4 & 1)
        HONE_TRY(c4(q, s, text, out->value));
    if (sets >> HONE_QUALITY_FINEWEB & 1)
        HONE_TRY(fineweb(s, text, out->value));
    for (size_t i = 0; i < HONE__Q_N; i++) {
        const hone_quality_rule *r = &hone_quality_rules[i];
        if (!q->on[i] || only_shapes(i))
            continue;
        const double v = out->value[i], limit = q->limit[i];
        const int reason = (r->is_most ? v > limit : v < limit) || (r->or_equal && v == limit);
        if (reason)
            out->failed |= (uint64_t)1 << i;
    }
    return HONE_OK;
}
