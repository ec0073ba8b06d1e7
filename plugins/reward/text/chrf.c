/* chrf.c - chrF and chrF++: F-score of character n-grams (and word n-grams), equal to sacreBLEU's divided by 100.
 *
 *   P, R = means over orders of shared / answer's and shared / reference's n-grams; only orders that both texts have count
 *   chrF = (1 + beta^2) P R / (beta^2 P + R)                                    (Popovic 2015; word_order = 2: chrF++, 2017)
 * White space is taken out of characters unless `whitespace` is set. For word n-grams, punctuation at a word's end or beginning
 * is a word of its own. With eps_smoothing the F of each order is averaged instead, as the first program (chrF++.py) did.
 * Several references: the best. */
#include "text.h"

typedef struct chrf {
    reward base;
    size_t chars, words;
    double beta, scale;
    int lowercase, whitespace, eps;
    uint32_t on_missing;
    hone_str column;
} chrf;

enum { F_REFERENCE, F_ON_MISSING, F_CHARS, F_WORDS, F_BETA, F_LOWER, F_SPACE, F_EPS, F_SCALE };
static const hone_field *const fields[] = {
    FIELD_REFERENCE,
    FIELD_ON_MISSING,
    HONE_INT("char_order", 6, 1, 12, 0, "longest n-gram of characters"),
    HONE_INT("word_order", 0, 0, 6, 0, "longest n-gram of words; 2 is chrF++"),
    HONE_F64("beta", 2, 0, 100, 0, "how many times recall weighs as much as precision"),
    HONE_FLAG("lowercase", 0, 0, "compare in lower case"),
    HONE_FLAG("whitespace", 0, 0, "white space counts as characters"),
    HONE_FLAG("eps_smoothing", 0, 0, "average the F of all orders, as chrF++.py did"),
    HONE_F64("scale", 1, 0, 100, 0,
             "what the score is multiplied with; 100 gives sacreBLEU's numbers"),
    NULL};

typedef struct wording {
    uint64_t *chars, *words, *grams;
    size_t n_chars, n_words, size;
} wording;

static int is_punctuation(uint32_t c)
{
    return c < 0x80 && c > ' ' && !is_letter((char)c) && !is_digit((char)c) && c != 0x7F;
}

/* A word, its first or last mark apart. */
static size_t put_word(hone_str w, uint64_t *out)
{
    size_t n_chars = 0;
    for (size_t i = 0; i < w.len; n_chars++)
        text_char(w, &i);
    if (n_chars > 1 && is_punctuation((unsigned char)w.ptr[w.len - 1])) {
        out[0] = text_key(part(w, 0, w.len - 1));
        out[1] = text_key(part(w, w.len - 1, w.len));
        return 2;
    }
    if (n_chars > 1 && is_punctuation((unsigned char)w.ptr[0])) {
        out[0] = text_key(part(w, 0, 1));
        out[1] = text_key(part(w, 1, w.len));
        return 2;
    }
    out[0] = text_key(w);
    return 1;
}

static int read_text(const chrf *c, hone_str s, wording *out)
{
    const size_t room = 2 * s.len + 8;
    char *folded = memory_get(&c->base, room);
    size_t n = 0, from = 0;
    if (!folded)
        return 0;
    for (size_t i = 0; i < s.len;) {
        const uint32_t x = text_char(s, &i);
        n += text_put(c->lowercase ? text_lower(x) : x, folded + n);
        if (c->lowercase && x == 0x130) /* an I with a dot: i and the dot, as Unicode has it */
            n += text_put(0x307, folded + n);
    }
    const hone_str f = {folded, n};
    out->size = 3 * (n + 1) * sizeof *out->chars;
    out->chars = memory_get(&c->base, out->size);
    if (out->chars) {
        out->words = out->chars + n + 1;
        out->grams = out->words + n + 1;
        for (size_t i = 0; i <= n;) {
            const size_t before = i;
            const uint32_t x = i < n ? text_char(f, &i) : (i++, ' ');
            const int space = text_is_space(x);
            if (before < n && (!space || c->whitespace))
                out->chars[out->n_chars++] = x;
            if (space && before > from)
                out->n_words += put_word(part(f, from, before), out->words + out->n_words);
            if (space)
                from = i;
        }
    }
    memory_put(&c->base, folded, room);
    return out->chars != NULL;
}

/* Of one reference, or NO_MEMORY. */
static double compare(const chrf *c, hone_str answer, hone_str reference)
{
    wording a = {0}, b = {0};
    const size_t orders = c->chars + c->words;
    const double factor = c->beta * c->beta, eps = 1e-16;
    double p = 0, q = 0, sum = 0, out = NO_MEMORY;
    size_t used = 0;
    if (read_text(c, answer, &a) && read_text(c, reference, &b)) {
        for (size_t k = 0; k < orders; k++) {
            const int w = k >= c->chars;
            const size_t n = w ? k - c->chars + 1 : k + 1;
            size_t mine = grams_of(w ? a.words : a.chars, w ? a.n_words : a.n_chars, n, a.grams);
            const size_t theirs = grams_of(w ? b.words : b.chars, w ? b.n_words : b.n_chars, n,
                                           b.grams);
            const size_t both = grams_shared(a.grams, mine, b.grams, theirs);
            mine = theirs ? mine : 0;
            const double x = mine ? (double)both / (double)mine : eps,
                         y = theirs ? (double)both / (double)theirs : eps;
            sum += factor * x + y > 0 ? (1 + factor) * x * y / (factor * x + y) : eps;
            if (mine && theirs) {
                p += x;
                q += y;
                used++;
            }
        }
        p = used ? p / (double)used : 0;
        q = used ? q / (double)used : 0;
        out = c->eps               ? sum / (double)orders
              : factor * p + q > 0 ? (1 + factor) * p * q / (factor * p + q)
                                   : 0;
    }
    memory_put(&c->base, a.chars, a.size);
    memory_put(&c->base, b.chars, b.size);
    return out;
}

static double compare_with(const reward *self, hone_str answer, hone_str reference)
{
    return compare((const chrf *)self, answer, reference);
}

static void score(const scoring *s, verdict *v)
{
    const chrf *c = (const chrf *)s->self;
    best_reference(s, c->column, c->on_missing, compare_with, v);
    v->score *= c->scale;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    const hone_status s = reward_create(host, sizeof(chrf), score, &base);
    if (s < 0)
        return s;
    chrf *c = (chrf *)base;
    c->column = cfg->str(cfg, F_REFERENCE);
    c->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    c->chars = (size_t)cfg->i64(cfg, F_CHARS);
    c->words = (size_t)cfg->i64(cfg, F_WORDS);
    c->beta = cfg->f64(cfg, F_BETA);
    c->lowercase = (int)cfg->i64(cfg, F_LOWER);
    c->whitespace = (int)cfg->i64(cfg, F_SPACE);
    c->eps = (int)cfg->i64(cfg, F_EPS);
    c->scale = cfg->f64(cfg, F_SCALE);
    *self_out = c;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "columns", NULL};
const hone_component chrf_component = {
    REWARD_HEAD("chrf", "chrF, chrF++: shared character n-grams"), .fields = fields,
    .needs = reward_needs, .wants = wants, .create = create};
