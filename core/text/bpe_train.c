/* bpe_train.c - see bpe_train.h.
 *
 * Distinct words are kept with their counts. For each pair of neighbouring symbols there are its count and the
 * words it was seen in; joining a pair touches those words only. A heap orders pairs by (count, bytes); its entries
 * are not updated but pushed again, and what no longer tells the count is dropped when it comes up. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/bpe_train.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"

#include <pcre2.h>
#include <string.h>

#define GPT2_PATTERN                                                                               \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
enum { MAX_VOCAB = 1 << 21, MAX_WORD = 1 << 20 };

typedef struct word {
    int32_t *symbols;
    uint32_t n;
    int64_t count;
    uint32_t step; /* the last merge that looked at it, + 1 */
} word;

typedef struct pair {
    int32_t a, b;
    int64_t count;
    uint32_t *words;
    uint32_t n_words, cap_words;
    uint32_t step; /* the last merge that made it grow, + 1 */
} pair;

typedef struct heap_item {
    int64_t count;
    uint32_t pair;
} heap_item;

typedef struct merge {
    int32_t a, b;
} merge;

typedef struct trainer {
    const hone_bpe_train_config *cfg;
    hone_arena arena;
    hone_map word_ids; /* bytes -> index + 1 */
    word *words;
    size_t n_words, cap_words, total_words;
    hone_str *tokens; /* bytes of each id; special tokens: their text */
    size_t n_tokens;
    hone_map token_ids; /* bytes -> id + 1, special tokens left out */
    pair *pairs;
    size_t n_pairs, cap_pairs;
    uint32_t *slots; /* pair index + 1 */
    size_t n_slots;
    heap_item *heap;
    size_t n_heap, cap_heap;
    uint32_t *grown;
    size_t n_grown, cap_grown;
    merge *merges;
    size_t n_merges;
    pcre2_code *gpt2, *digits;
    pcre2_match_data *match;
} trainer;

/* Room for one more item. */
static hone_status grow(void *array, size_t *cap, size_t n, size_t size)
{
    void **p = array;
    if (n < *cap)
        return HONE_OK;
    size_t more = *cap ? *cap * 2 : 64;
    void *q = hone_reallocarray(*p, more, size);
    if (!q)
        return HONE_E_NOMEM;
    *p = q;
    *cap = more;
    return HONE_OK;
}

static int is_special(const hone_bpe_train_config *cfg, hone_str s, size_t before_index)
{
    for (size_t i = 0; i < before_index; i++)
        if (hone_str_same(cfg->special[i], s))
            return 1;
    return 0;
}

/* ---- words --------------------------------------------------------------------------------------------------- */
static hone_status count_word(trainer *t, const char *p, size_t n)
{
    if (n > MAX_WORD)
        return hone_fail(HONE_E_LIMIT, "BPE training: a word of more than %d bytes", MAX_WORD);
    t->total_words++;
    size_t at = (size_t)(uintptr_t)hone_map_get(&t->word_ids, p, n);
    if (at) {
        t->words[at - 1].count++;
        return HONE_OK;
    }
    HONE_TRY(grow(&t->words, &t->cap_words, t->n_words, sizeof *t->words));
    word *w = &t->words[t->n_words];
    memset(w, 0, sizeof *w);
    w->symbols = hone_arena_alloc(&t->arena, n * sizeof *w->symbols);
    if (!w->symbols)
        return HONE_E_NOMEM;
    w->count = 1;
    w->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        size_t id = (size_t)(uintptr_t)hone_map_get(&t->token_ids, p + i, 1);
        w->symbols[i] = (int32_t)id - 1;
    }
    if (t->n_words >= UINT32_MAX - 1)
        return hone_fail(HONE_E_LIMIT, "BPE training: too many different words");
    t->n_words++;
    return hone_map_put(&t->word_ids, p, n, (void *)(uintptr_t)t->n_words, NULL);
}

static hone_status count_pattern(trainer *t, const char *p, size_t n)
{
    size_t at = 0, last = 0;
    while (at < n) {
        int rc = pcre2_match(t->gpt2, (PCRE2_SPTR)p, n, at, 0, t->match, NULL);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0)
            return hone_fail(HONE_E_LIMIT, "BPE training: the word pattern failed (PCRE2 %d)", rc);
        const size_t *o = pcre2_get_ovector_pointer(t->match);
        if (o[0] > last) /* bytes that are no UTF-8 */
            HONE_TRY(count_word(t, p + last, o[0] - last));
        HONE_TRY(count_word(t, p + o[0], o[1] - o[0]));
        at = last = o[1];
    }
    return last < n ? count_word(t, p + last, n - last) : HONE_OK;
}

static hone_status count_part(trainer *t, const char *p, size_t n)
{
    size_t last = 0;
    while (t->cfg->single_digits && last < n) {
        int rc = pcre2_match(t->digits, (PCRE2_SPTR)p, n, last, 0, t->match, NULL);
        if (rc < 0)
            break;
        const size_t *o = pcre2_get_ovector_pointer(t->match);
        size_t begin = o[0], end = o[1];
        HONE_TRY(count_pattern(t, p + last, begin - last));
        HONE_TRY(count_word(t, p + begin, end - begin));
        last = end;
    }
    return count_pattern(t, p + last, n - last);
}

/* Special tokens are cut out: leftmost, then longest. */
static hone_status count_text(trainer *t, hone_str text)
{
    size_t last = 0;
    for (size_t i = 0; i < text.len;) {
        size_t best = 0;
        for (size_t k = 0; k < t->cfg->n_special; k++) {
            hone_str s = t->cfg->special[k];
            if (s.len > best && s.len <= text.len - i && text.ptr[i] == s.ptr[0] &&
                memcmp(text.ptr + i, s.ptr, s.len) == 0)
                best = s.len;
        }
        if (!best) {
            i++;
            continue;
        }
        HONE_TRY(count_part(t, text.ptr + last, i - last));
        last = i = i + best;
    }
    return count_part(t, text.ptr + last, text.len - last);
}

/* ---- pairs ------------------------------------------------------------------------------------------------------ */
static size_t slot_of(const trainer *t, int32_t a, int32_t b)
{
    uint64_t key = (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
    size_t i = (size_t)((key * 0x9E3779B97F4A7C15u) >> 20) & (t->n_slots - 1);
    while (t->slots[i] && (t->pairs[t->slots[i] - 1].a != a || t->pairs[t->slots[i] - 1].b != b))
        i = (i + 1) & (t->n_slots - 1);
    return i;
}

static hone_status rehash(trainer *t)
{
    size_t n = t->n_slots ? t->n_slots * 2 : 1024;
    uint32_t *slots = hone_calloc(n, sizeof *slots);
    if (!slots)
        return HONE_E_NOMEM;
    hone_free(t->slots);
    t->slots = slots;
    t->n_slots = n;
    for (size_t i = 0; i < t->n_pairs; i++)
        t->slots[slot_of(t, t->pairs[i].a, t->pairs[i].b)] = (uint32_t)i + 1;
    return HONE_OK;
}

static hone_status find_pair(trainer *t, int32_t a, int32_t b, uint32_t *out)
{
    if (t->n_pairs * 2 >= t->n_slots)
        HONE_TRY(rehash(t));
    size_t i = slot_of(t, a, b);
    if (!t->slots[i]) {
        if (t->n_pairs >= UINT32_MAX - 1)
            return hone_fail(HONE_E_LIMIT, "BPE training: too many pairs");
        HONE_TRY(grow(&t->pairs, &t->cap_pairs, t->n_pairs, sizeof *t->pairs));
        pair *p = &t->pairs[t->n_pairs++];
        memset(p, 0, sizeof *p);
        p->a = a;
        p->b = b;
        t->slots[i] = (uint32_t)t->n_pairs;
    }
    *out = t->slots[i] - 1;
    return HONE_OK;
}

/* Adds `count` (which may be negative) for each pair of the word; a pair that grows learns the word. */
static hone_status count_pairs(trainer *t, uint32_t index, int64_t count, uint32_t step)
{
    const word *w = &t->words[index];
    uint32_t at = 0;
    for (uint32_t i = 0; i + 1 < w->n; i++) {
        HONE_TRY(find_pair(t, w->symbols[i], w->symbols[i + 1], &at));
        pair *p = &t->pairs[at];
        p->count += count;
        if (count < 0)
            continue;
        if (p->n_words == 0 || p->words[p->n_words - 1] != index) {
            size_t cap = p->cap_words;
            HONE_TRY(grow(&p->words, &cap, p->n_words, sizeof *p->words));
            p->cap_words = (uint32_t)cap;
            p->words[p->n_words++] = index;
        }
        if (p->step != step) {
            p->step = step;
            HONE_TRY(grow(&t->grown, &t->cap_grown, t->n_grown, sizeof *t->grown));
            t->grown[t->n_grown++] = at;
        }
    }
    return HONE_OK;
}

static int compare_bytes(hone_str a, hone_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* Is x joined before y? */
static int before(const trainer *t, heap_item x, heap_item y)
{
    if (x.count != y.count)
        return x.count > y.count;
    const pair *p = &t->pairs[x.pair], *q = &t->pairs[y.pair];
    int c = compare_bytes(t->tokens[p->a], t->tokens[q->a]);
    return c ? c > 0 : compare_bytes(t->tokens[p->b], t->tokens[q->b]) > 0;
}

static hone_status push(trainer *t, uint32_t index)
{
    heap_item item = {t->pairs[index].count, index};
    HONE_TRY(grow(&t->heap, &t->cap_heap, t->n_heap, sizeof *t->heap));
    size_t i = t->n_heap++;
    while (i > 0 && before(t, item, t->heap[(i - 1) / 2])) {
        t->heap[i] = t->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    t->heap[i] = item;
    return HONE_OK;
}

static heap_item pop(trainer *t)
{
    heap_item top = t->heap[0], last = t->heap[--t->n_heap];
    size_t i = 0;
    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= t->n_heap)
            break;
        if (c + 1 < t->n_heap && before(t, t->heap[c + 1], t->heap[c]))
            c++;
        if (!before(t, t->heap[c], last))
            break;
        t->heap[i] = t->heap[c];
        i = c;
    }
    if (t->n_heap)
        t->heap[i] = last;
    return top;
}

static hone_status push_grown(trainer *t)
{
    for (size_t i = 0; i < t->n_grown; i++)
        HONE_TRY(push(t, t->grown[i]));
    t->n_grown = 0;
    return HONE_OK;
}

/* ---- merging ------------------------------------------------------------------------------------------------------ */
/* The id of the joined bytes: a new one, or that of a token that spells the same. */
static hone_status joined_id(trainer *t, int32_t a, int32_t b, int32_t *out)
{
    hone_str x = t->tokens[a], y = t->tokens[b];
    char *p = hone_arena_alloc(&t->arena, x.len + y.len + 1);
    if (!p)
        return HONE_E_NOMEM;
    memcpy(p, x.ptr, x.len);
    memcpy(p + x.len, y.ptr, y.len);
    size_t known = (size_t)(uintptr_t)hone_map_get(&t->token_ids, p, x.len + y.len);
    if (!known) {
        t->tokens[t->n_tokens].ptr = p;
        t->tokens[t->n_tokens].len = x.len + y.len;
        known = ++t->n_tokens;
        HONE_TRY(hone_map_put(&t->token_ids, p, x.len + y.len, (void *)(uintptr_t)known, NULL));
    }
    *out = (int32_t)known - 1;
    return HONE_OK;
}

static hone_status join(trainer *t, uint32_t index, uint32_t step)
{
    int32_t a = t->pairs[index].a, b = t->pairs[index].b, id;
    HONE_TRY(joined_id(t, a, b, &id));
    for (uint32_t k = 0; k < t->pairs[index].n_words; k++) {
        uint32_t at = t->pairs[index].words[k];
        word *w = &t->words[at];
        if (w->step == step)
            continue;
        w->step = step;
        uint32_t found = 0;
        for (uint32_t i = 0; i + 1 < w->n && !found; i++)
            found = w->symbols[i] == a && w->symbols[i + 1] == b;
        if (!found)
            continue;
        HONE_TRY(count_pairs(t, at, -w->count, step));
        uint32_t n = 0;
        for (uint32_t i = 0; i < w->n; n++) {
            int both = i + 1 < w->n && w->symbols[i] == a && w->symbols[i + 1] == b;
            w->symbols[n] = both ? id : w->symbols[i];
            i += both ? 2 : 1;
        }
        w->n = n;
        HONE_TRY(count_pairs(t, at, w->count, step));
    }
    t->merges[t->n_merges].a = a;
    t->merges[t->n_merges++].b = b;
    return HONE_OK;
}

static hone_status train(trainer *t)
{
    int64_t least = t->cfg->min_count > 1 ? t->cfg->min_count : 1;
    size_t max_merges = t->cfg->vocab_size - t->n_tokens;
    for (uint32_t i = 0; i < t->n_words; i++)
        HONE_TRY(count_pairs(t, i, t->words[i].count, 1));
    HONE_TRY(push_grown(t));
    uint32_t step = 2;
    while (t->n_tokens < t->cfg->vocab_size && t->n_merges < max_merges && t->n_heap) {
        heap_item top = pop(t);
        if (top.count < least)
            break;
        int64_t now = t->pairs[top.pair].count;
        if (top.count != now) { /* fewer by now: it has its turn later */
            if (now > 0 && now < top.count)
                HONE_TRY(push(t, top.pair));
            continue;
        }
        HONE_TRY(join(t, top.pair, step++));
        HONE_TRY(push_grown(t));
    }
    return HONE_OK;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */
static int printable(int b)
{
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
}

/* A byte as a character of GPT-2's alphabet (UTF-8, at most 2 bytes). */
static size_t map_byte(unsigned char b, char out[2])
{
    unsigned c = b;
    if (!printable(b)) {
        c = 256;
        for (int i = 0; i < b; i++)
            c += !printable(i);
    }
    if (c < 128) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
}

static void map_bytes(hone_str s, hone_buf *out)
{
    char c[2];
    for (size_t i = 0; i < s.len; i++)
        hone_buf_add(out, c, map_byte((unsigned char)s.ptr[i], c));
}

static void write_pre_tokenizer(const trainer *t, hone_jw *w)
{
    hone_jw_key(w, "pre_tokenizer");
    if (t->cfg->single_digits) {
        hone_jw_map(w);
        hone_jw_kcstr(w, "type", "Sequence");
        hone_jw_key(w, "pretokenizers");
        hone_jw_list(w);
        hone_jw_map(w);
        hone_jw_kcstr(w, "type", "Digits");
        hone_jw_kbool(w, "individual_digits", 1);
        hone_jw_end(w);
    }
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "ByteLevel");
    hone_jw_kbool(w, "add_prefix_space", 0);
    hone_jw_kbool(w, "trim_offsets", 1);
    hone_jw_kbool(w, "use_regex", 1);
    hone_jw_end(w);
    if (t->cfg->single_digits) {
        hone_jw_end(w);
        hone_jw_end(w);
    }
}

/* A special token that is spelled as some byte or merge would be: one text, two ids. */
static hone_status check_spelling(const trainer *t)
{
    hone_buf text;
    hone_status s = HONE_OK;
    hone_buf_init(&text, HONE_BUF_MAX_DEFAULT);
    for (size_t i = t->cfg->n_special; i < t->n_tokens && s >= 0; i++) {
        hone_buf_clear(&text);
        map_bytes(t->tokens[i], &text);
        hone_str spelled = hone_buf_str(&text);
        if (is_special(t->cfg, spelled, t->cfg->n_special))
            s = hone_fail(HONE_E_INVALID,
                          "BPE training: special token \"%.*s\" is spelled as another token is",
                          (int)spelled.len, spelled.ptr);
    }
    hone_buf_release(&text);
    return s;
}

static hone_status write_tokenizer(const trainer *t, hone_buf *out)
{
    hone_jw w;
    hone_buf text;
    HONE_TRY(check_spelling(t));
    hone_buf_init(&text, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, out, 2);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "version", "1.0");
    hone_jw_kcstr(&w, "truncation", NULL);
    hone_jw_kcstr(&w, "padding", NULL);
    hone_jw_key(&w, "added_tokens");
    hone_jw_list(&w);
    for (size_t i = 0; i < t->cfg->n_special; i++) {
        hone_jw_map(&w);
        hone_jw_ki64(&w, "id", (int64_t)i);
        hone_jw_kstr(&w, "content", t->cfg->special[i]);
        hone_jw_kbool(&w, "single_word", 0);
        hone_jw_kbool(&w, "lstrip", 0);
        hone_jw_kbool(&w, "rstrip", 0);
        hone_jw_kbool(&w, "normalized", 0);
        hone_jw_kbool(&w, "special", 1);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_kcstr(&w, "normalizer", NULL);
    write_pre_tokenizer(t, &w);
    static const char *const parts[] = {"post_processor", "decoder"};
    for (int i = 0; i < 2; i++) {
        hone_jw_key(&w, parts[i]);
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "type", "ByteLevel");
        hone_jw_kbool(&w, "add_prefix_space", 0);
        hone_jw_kbool(&w, "trim_offsets", 1);
        hone_jw_kbool(&w, "use_regex", 1);
        hone_jw_end(&w);
    }
    hone_jw_key(&w, "model");
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "type", "BPE");
    static const char *const unset[] = {"dropout", "unk_token", "continuing_subword_prefix",
                                        "end_of_word_suffix"};
    for (int i = 0; i < 4; i++)
        hone_jw_kcstr(&w, unset[i], NULL);
    hone_jw_kbool(&w, "fuse_unk", 0);
    hone_jw_kbool(&w, "byte_fallback", 0);
    hone_jw_kbool(&w, "ignore_merges", 0);
    hone_jw_key(&w, "vocab");
    hone_jw_map(&w);
    for (size_t i = 0; i < t->n_tokens; i++) {
        hone_buf_clear(&text);
        if (i < t->cfg->n_special)
            hone_buf_add_str(&text, t->tokens[i]);
        else
            map_bytes(t->tokens[i], &text);
        hone_jw_key_str(&w, hone_buf_str(&text));
        hone_jw_i64(&w, (int64_t)i);
    }
    hone_jw_end(&w);
    hone_jw_key(&w, "merges");
    hone_jw_list(&w);
    for (size_t i = 0; i < t->n_merges; i++) {
        hone_buf_clear(&text);
        map_bytes(t->tokens[t->merges[i].a], &text);
        hone_buf_addc(&text, ' ');
        map_bytes(t->tokens[t->merges[i].b], &text);
        hone_jw_str(&w, hone_buf_str(&text));
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_buf_addc(out, '\n');
    hone_status s = text.failed < 0 ? text.failed : out->failed;
    hone_buf_release(&text);
    return s < 0 ? hone_fail(s, "BPE training: tokenizer.json could not be written") : HONE_OK;
}

hone_status hone__train_config_json(const hone_bpe_train_config *c, hone_buf *out)
{
    const struct {
        const char *key;
        hone_str text;
    } tokens[] = {{"bos_token", c->bos}, {"eos_token", c->eos}, {"pad_token", c->pad}};
    hone_jw w;
    hone_jw_init(&w, out, 2);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "tokenizer_class", "PreTrainedTokenizerFast");
    for (int i = 0; i < 3; i++)
        if (tokens[i].text.ptr)
            hone_jw_kstr(&w, tokens[i].key, tokens[i].text);
    hone_jw_kbool(&w, "clean_up_tokenization_spaces", 0);
    if (c->chat_template.ptr)
        hone_jw_kstr(&w, "chat_template", c->chat_template);
    hone_jw_end(&w);
    hone_buf_addc(out, '\n');
    return hone_buf_check(out, "tokenizer_config.json");
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */
hone_status hone__train_check(const hone_bpe_train_config *cfg)
{
    const hone_str named[] = {cfg->bos, cfg->eos, cfg->pad};
    if (cfg->n_special > MAX_VOCAB || cfg->vocab_size < cfg->n_special + 256 ||
        cfg->vocab_size > MAX_VOCAB)
        return hone_fail(HONE_E_INVALID,
                         "a vocabulary of %zu entries: from %zu (256 bytes and the "
                         "special tokens) to %d are possible",
                         cfg->vocab_size, cfg->n_special + 256, MAX_VOCAB);
    for (size_t i = 0; i < cfg->n_special; i++)
        if (!cfg->special[i].len || is_special(cfg, cfg->special[i], i))
            return hone_fail(HONE_E_INVALID, "special token %zu is %s", i,
                             cfg->special[i].len ? "given twice" : "empty");
    for (int i = 0; i < 3; i++)
        if (named[i].ptr && !is_special(cfg, named[i], cfg->n_special))
            return hone_fail(HONE_E_INVALID, "\"%.*s\" is none of the special tokens",
                             (int)(named[i].len < 80 ? named[i].len : 80), named[i].ptr);
    return HONE_OK;
}

static hone_status alphabet(trainer *t)
{
    t->tokens = hone_calloc(t->cfg->vocab_size, sizeof *t->tokens);
    t->merges = hone_calloc(t->cfg->vocab_size, sizeof *t->merges);
    if (!t->tokens || !t->merges)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < t->cfg->n_special; i++)
        t->tokens[t->n_tokens++] = t->cfg->special[i];
    for (int pass = 1; pass >= 0; pass--) /* printable bytes first: the order of their characters */
        for (int b = 0; b < 256; b++) {
            if (printable(b) != pass)
                continue;
            char c = (char)b, *p = hone_arena_strndup(&t->arena, &c, 1);
            if (!p)
                return HONE_E_NOMEM;
            t->tokens[t->n_tokens].ptr = p;
            t->tokens[t->n_tokens++].len = 1;
            HONE_TRY(hone_map_put(&t->token_ids, p, 1, (void *)(uintptr_t)t->n_tokens, NULL));
        }
    return HONE_OK;
}

static pcre2_code *compile(const char *pattern)
{
    int code;
    size_t at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &code, &at,
                                   NULL);
    if (re)
        pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
    return re;
}

hone_status hone_bpe_train(const hone_str *texts, size_t n, const hone_bpe_train_config *cfg,
                           hone_buf *tokenizer_json, hone_buf *config_json,
                           hone_bpe_train_info *info)
{
    trainer t = {.cfg = cfg};
    hone_status s;
    HONE_TRY(hone__train_check(cfg));
    hone_arena_init(&t.arena, (size_t)8 << 30);
    hone_map_init(&t.word_ids);
    hone_map_init(&t.token_ids);
    t.gpt2 = compile(GPT2_PATTERN);
    t.digits = compile("\\p{N}");
    t.match = pcre2_match_data_create(1, NULL);
    if (!t.gpt2 || !t.digits || !t.match) {
        s = hone_fail(HONE_E_NOMEM, "BPE training: out of memory");
        goto done;
    }
    HONE_TRY_GOTO(alphabet(&t), done);
    for (size_t i = 0; i < n; i++)
        HONE_TRY_GOTO(count_text(&t, texts[i]), done);
    HONE_TRY_GOTO(train(&t), done);
    if (tokenizer_json)
        HONE_TRY_GOTO(write_tokenizer(&t, tokenizer_json), done);
    if (config_json)
        HONE_TRY_GOTO(hone__train_config_json(cfg, config_json), done);
    if (info) {
        hone_bpe_train_info i = {t.n_tokens, t.n_merges, t.total_words, t.n_words};
        *info = i;
    }
done:
    pcre2_code_free(t.gpt2);
    pcre2_code_free(t.digits);
    pcre2_match_data_free(t.match);
    for (size_t i = 0; i < t.n_pairs; i++)
        hone_free(t.pairs[i].words);
    hone_free(t.pairs);
    hone_free(t.slots);
    hone_free(t.heap);
    hone_free(t.grown);
    hone_free(t.merges);
    hone_free(t.tokens);
    hone_free(t.words);
    hone_map_release(&t.word_ids);
    hone_map_release(&t.token_ids);
    hone_arena_release(&t.arena);
    return s;
}
