/* rouge.c - ROUGE-1 to -4, ROUGE-L, ROUGE-Lsum, equal to the program rouge_score, or to the package rouge.
 *
 *   rougeN      n-grams that both have, each as often as in the text that has it less often:
 *               P = both / answer's, R = both / reference's, F = 2PR / (P + R)                     (Lin 2004, section 2)
 *   rougeL      the same of the longest common subsequence of words                               (section 3)
 *   rougeLsum   texts cut at line ends; for each line of the reference the union of its common subsequences with all
 *               lines of the answer, a word counting no oftener than both have it                  (section 3.2)
 * compat = rouge_score: words are runs of ASCII letters and digits in lower case, those of four letters and more stemmed
 * where `stem` is set (Porter, as NLTK has it). compat = rouge: words as they stand between white space, each n-gram counted
 * once, F with 1e-8 in its denominator; its rougeL has F = (1 + b^2) PR / (R + b^2 P) with b = P / R, as that package had.
 * Several references: the best. Texts of more than 10,000 words are an error, not a guess. Time of rougeL: product of the
 * lengths. It compares wording and not meaning. */
#include "text.h"

typedef struct rouge {
    reward base;
    uint32_t measure, value, compat, on_missing;
    int stem;
    hone_str column;
} rouge;

enum { ROUGE1, ROUGE2, ROUGE3, ROUGE4, ROUGEL, ROUGELSUM };
enum { VALUE_F1, VALUE_PRECISION, VALUE_RECALL };
enum { COMPAT_ROUGE_SCORE, COMPAT_ROUGE };
enum { F_REFERENCE, F_ON_MISSING, F_MEASURE, F_VALUE, F_STEM, F_COMPAT };
enum { MOST_WORDS = 10000 };
static const hone_field *const fields[] = {
    FIELD_REFERENCE,
    FIELD_ON_MISSING,
    HONE_ENUM(
        "measure", "rougeL", "rouge1|rouge2|rouge3|rouge4|rougeL|rougeLsum", 0,
        "what is compared: runs of n words, the longest common subsequence, the same line by line"),
    HONE_ENUM("value", "f1", "f1|precision|recall", 0, "which of the three numbers"),
    HONE_FLAG("stem", 0, 0, "compare the stems of English words (Porter)"),
    HONE_ENUM("compat", "rouge_score", "rouge_score|rouge", 0,
              "words and counts as in the package of this name"),
    NULL};

typedef struct wording { /* words and where lines begin; lines[n_lines] = n */
    uint64_t *words;
    uint32_t *lines;
    size_t n, n_lines;
} wording;

/* Words of one line, keyed. */
static size_t words_of(const rouge *r, hone_str s, uint64_t *out)
{
    size_t n = 0;
    char word[64];
    if (r->compat == COMPAT_ROUGE)
        return text_split(s, out);
    for (size_t i = 0; i < s.len;) {
        size_t k = 0;
        const size_t from = i;
        uint64_t h = 14695981039346656037u;
        int ended = 0;
        size_t chars = 0;
        while (i < s.len && !ended) {
            const hone_str rest = part(s, i, s.len);
            char c = s.ptr[i];
            /* two letters beyond ASCII become ASCII in lower case: Kelvin's k, and an i with a dot over it, which parts words */
            const int kelvin = starts_with(rest, "\u212A"), dotted = starts_with(rest, "\u0130");
            if (kelvin || dotted)
                c = kelvin ? 'k' : 'i';
            else if (!is_letter(c) && !is_digit(c))
                break;
            ended = dotted;
            i += kelvin ? 3 : dotted ? 2 : 1;
            chars++;
            h = (h ^ (unsigned char)lower(c)) * 1099511628211u;
            if (k < sizeof word - 1)
                word[k++] = lower(c);
        }
        if (i == from) {
            i++;
            continue;
        }
        if (r->stem && k > 3 && chars == k) {
            k = text_stem(word, k);
            h = text_key((hone_str){word, k});
        }
        out[n++] = h;
    }
    return n;
}

static int read_text(const rouge *r, hone_str s, wording *out)
{
    const size_t most = s.len / 2 + 2;
    out->words = memory_get(&r->base, most * sizeof *out->words);
    out->lines = out->words ? memory_get(&r->base, (s.len + 2) * sizeof *out->lines) : NULL;
    out->n = out->n_lines = 0;
    if (!out->lines) {
        memory_put(&r->base, out->words, most * sizeof *out->words);
        out->words = NULL;
        return NO_MEMORY;
    }
    for (size_t i = 0; i <= s.len; i++) {
        size_t end = i;
        while (end < s.len && (r->measure != ROUGELSUM || s.ptr[end] != '\n'))
            end++;
        out->lines[out->n_lines] = (uint32_t)out->n;
        out->n += words_of(r, part(s, i, end), out->words + out->n);
        out->n_lines += out->lines[out->n_lines] != out->n;
        i = end;
        if (out->n > MOST_WORDS)
            return TOO_LONG;
    }
    out->lines[out->n_lines] = (uint32_t)out->n;
    return 0;
}

static void release_text(const rouge *r, hone_str s, wording *t)
{
    memory_put(&r->base, t->lines, (s.len + 2) * sizeof *t->lines);
    memory_put(&r->base, t->words, (s.len / 2 + 2) * sizeof *t->words);
}

static double numbers(const rouge *r, double p, double q)
{
    if (r->value == VALUE_PRECISION)
        return p;
    if (r->value == VALUE_RECALL)
        return q;
    if (r->compat == COMPAT_ROUGE && r->measure == ROUGEL) {
        const double b = p / (q + 1e-12);
        return (1 + b * b) * q * p / (q + b * b * p + 1e-12);
    }
    if (r->compat == COMPAT_ROUGE)
        return 2 * p * q / (p + q + 1e-8);
    return p + q > 0 ? 2 * p * q / (p + q) : 0;
}

static double ratio(const rouge *r, size_t both, size_t n, size_t m)
{
    return n && m ? numbers(r, (double)both / (double)n, (double)both / (double)m) : 0;
}

static double shared_grams(const rouge *r, const wording *a, const wording *b, uint64_t *room)
{
    const size_t k = r->measure + 1;
    size_t x = grams_of(a->words, a->n, k, room), y = grams_of(b->words, b->n, k, room + a->n);
    if (r->compat == COMPAT_ROUGE) {
        x = grams_distinct(room, x);
        y = grams_distinct(room + a->n, y);
    }
    return ratio(r, grams_shared(room, x, room + a->n, y), x, y);
}

/* Marks in `hit` the words of line x (n of them) that a longest common subsequence with line y (m) has: the one that is
 * found going back from the ends, over x where both ways are as long. `left` has a bit for each pair, `row` m + 1 counts. */
static void mark_common(const uint64_t *x, size_t n, const uint64_t *y, size_t m, uint8_t *left,
                        uint32_t *row, uint8_t *hit)
{
    memset(row, 0, (m + 1) * sizeof *row);
    memset(left, 0, (n * m + 7) / 8);
    for (size_t i = 0; i < n; i++) {
        uint32_t diagonal = 0;
        for (size_t k = 0; k < m; k++) {
            const uint32_t above = row[k + 1];
            if (x[i] == y[k])
                row[k + 1] = diagonal + 1;
            else if (row[k] > above) {
                row[k + 1] = row[k];
                left[(i * m + k) / 8] |= (uint8_t)(1u << ((i * m + k) % 8));
            }
            diagonal = above;
        }
    }
    for (size_t i = n, k = m; i > 0 && k > 0;) {
        const size_t at = (i - 1) * m + k - 1;
        if (x[i - 1] == y[k - 1]) {
            hit[i - 1] = 1;
            i--;
            k--;
        } else if (left[at / 8] >> (at % 8) & 1)
            k--;
        else
            i--;
    }
}

static size_t count_of(const uint64_t *sorted, size_t n, uint64_t key)
{
    size_t lo = 0, hi = n, from;
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (sorted[mid] < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (from = lo; lo < n && sorted[lo] == key; lo++)
        ;
    return lo - from;
}

/* The union of common subsequences, line by line of the reference b. */
static double by_lines(const rouge *r, const wording *a, const wording *b, uint64_t *room,
                       uint32_t *row)
{
    size_t widest_a = 0, widest_b = 0, both = 0, size;
    uint8_t *bits;
    for (size_t i = 0; i < a->n_lines; i++)
        widest_a = widest_a > a->lines[i + 1] - a->lines[i] ? widest_a
                                                            : a->lines[i + 1] - a->lines[i];
    for (size_t i = 0; i < b->n_lines; i++)
        widest_b = widest_b > b->lines[i + 1] - b->lines[i] ? widest_b
                                                            : b->lines[i + 1] - b->lines[i];
    size = widest_a * widest_b / 8 + 1 + b->n;
    bits = memory_get(&r->base, size);
    if (!bits)
        return NO_MEMORY;
    uint8_t *hit = bits + widest_a * widest_b / 8 + 1;
    memset(hit, 0, b->n);
    for (size_t i = 0; i < b->n_lines; i++)
        for (size_t k = 0; k < a->n_lines; k++)
            mark_common(b->words + b->lines[i], b->lines[i + 1] - b->lines[i],
                        a->words + a->lines[k], a->lines[k + 1] - a->lines[k], bits, row,
                        hit + b->lines[i]);
    /* the words that were hit, each no oftener than the answer has it */
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (hit[i])
            room[n++] = b->words[i];
    uint64_t *sorted = room + n, *mine = room + b->n + n;
    n = grams_of(room, n, 1, sorted);
    grams_of(a->words, a->n, 1, mine);
    for (size_t i = 0; i < n;) {
        const size_t k = count_of(sorted, n, sorted[i]), have = count_of(mine, a->n, sorted[i]);
        both += k < have ? k : have;
        i += k;
    }
    memory_put(&r->base, bits, size);
    return ratio(r, both, a->n, b->n);
}

/* Of one reference, or NO_MEMORY, TOO_LONG. */
static double compare(const rouge *r, hone_str answer, hone_str reference)
{
    wording a = {NULL, NULL, 0, 0}, b = {NULL, NULL, 0, 0};
    double out = read_text(r, answer, &a);
    if (out >= 0)
        out = read_text(r, reference, &b);
    if (out >= 0) {
        const size_t size = (2 * a.n + 3 * b.n + 4) * sizeof(uint64_t);
        uint64_t *room = memory_get(&r->base, size + (a.n + b.n + 2) * sizeof(uint32_t));
        uint32_t *row = room ? (uint32_t *)(void *)((char *)room + size) : NULL;
        if (!room)
            out = NO_MEMORY;
        else if (r->measure == ROUGEL)
            out = ratio(r, words_common(a.words, a.n, b.words, b.n, row), a.n, b.n);
        else if (r->measure == ROUGELSUM)
            out = by_lines(r, &a, &b, room, row);
        else
            out = shared_grams(r, &a, &b, room);
        if (room)
            memory_put(&r->base, room, size + (a.n + b.n + 2) * sizeof(uint32_t));
    }
    if (a.words)
        release_text(r, answer, &a);
    if (b.words)
        release_text(r, reference, &b);
    return out;
}

static double compare_with(const reward *self, hone_str answer, hone_str reference)
{
    return compare((const rouge *)self, answer, reference);
}

static void rouge_score(const scoring *s, verdict *v)
{
    const rouge *r = (const rouge *)s->self;
    best_reference(s, r->column, r->on_missing, compare_with, v);
}

static hone_status rouge_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    const hone_status s = reward_create(host, sizeof(rouge), rouge_score, &base);
    if (s < 0)
        return s;
    rouge *r = (rouge *)base;
    r->column = cfg->str(cfg, F_REFERENCE);
    r->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    r->measure = (uint32_t)cfg->i64(cfg, F_MEASURE);
    r->value = (uint32_t)cfg->i64(cfg, F_VALUE);
    r->stem = (int)cfg->i64(cfg, F_STEM);
    r->compat = (uint32_t)cfg->i64(cfg, F_COMPAT);
    *self_out = r;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "columns", NULL};
const hone_component rouge_component = {
    REWARD_HEAD("rouge", "ROUGE: wording shared with a reference"), .fields = fields,
    .needs = reward_needs, .wants = wants, .create = rouge_create};
