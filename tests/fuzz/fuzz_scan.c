/* Any bytes as a row of `hone data`: the scanner and the reader of JSON take the same, the scanner's strings are the reader's; then its text through
 * words, folds, shingles and quality rules. The first byte chooses the columns. */
#include "base/arena.h"
#include "base/json.h"
#include "curate/minhash.h"
#include "curate/quality.h"
#include "curate/scan.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const columns[] = {NULL, "a", "a,b", "a.b,c", "m.c,a"};

/* All strings but silent keys', as the scanner collects them. */
static void collect(const hone_value *v, hone_buf *out)
{
    if (v->type == HONE_STRING) {
        hone_buf_add_str(out, v->u.str);
        hone_buf_addc(out, '\n');
    }
    for (size_t i = 0; v->type == HONE_LIST && i < v->u.list.n; i++)
        collect(&v->u.list.items[i], out);
    for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++)
        if (!hone_scan_silent(v->u.map.pairs[i].key))
            collect(&v->u.map.pairs[i].value, out);
}

static void use_text(hone_str text)
{
    static hone_minhash m;
    static hone_quality q;
    static hone_quality_scratch *scratch;
    hone_quality_verdict verdict;
    hone_words w;
    hone_shingles s = {0};
    hone_buf b;
    uint32_t sig[120];
    uint64_t keys[20];
    if (!scratch &&
        (hone_minhash_init(&m, 5, 20, 6, 1) < 0 || hone_quality_init(&q, "all", NULL, 0) < 0 ||
         hone_quality_scratch_create(&scratch) < 0))
        abort();
    hone_words_init(&w);
    hone_buf_init(&b, 1 << 26);
    for (int fold = HONE_FOLD_NONE; fold <= HONE_FOLD_WORDS; fold++) {
        hone_buf_clear(&b);
        if (hone_fold_text((hone_fold)fold, text, &b) < 0)
            abort();
        hone_words again;
        hone_words_init(&again);
        if (hone_words_of(&w, text) < 0 || hone_words_of(&again, hone_buf_str(&b)) < 0 ||
            w.n != again.n)
            abort(); /* no fold makes or loses a word */
        for (size_t i = 0; i < w.n; i++)
            if (w.v[i].hash != again.v[i].hash || w.v[i].from + w.v[i].len > text.len)
                abort();
        hone_words_release(&again);
    }
    if (hone_shingles_of(&m, &w, &s) < 0)
        abort();
    hone_minhash_sign(&m, &s, sig);
    hone_minhash_keys(&m, sig, keys);
    hone_shingles_sort(&s);
    if (s.n && hone_shingles_jaccard(&s, &s) != 1)
        abort();
    if (hone_quality_look(&q, text, scratch, &verdict) < 0)
        abort();
    for (size_t i = 0; i < hone_quality_n(); i++)
        if (!(verdict.value[i] >= 0)) /* a share of an empty text is none */
            abort();
    hone_shingles_release(&s);
    hone_words_release(&w);
    hone_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_scan scan;
    hone_arena arena;
    hone_value v;
    hone_buf want;
    if (size < 1 || size > 1 << 20 || (size > 3 && memcmp(data + 1, "\xEF\xBB\xBF", 3) == 0))
        return 0; /* a byte order mark is the file's, not the row's */
    const char *which = columns[data[0] % (sizeof columns / sizeof *columns)];
    const hone_str row = {(const char *)data + 1, size - 1};
    if (hone_scan_init(&scan, which) < 0)
        abort();
    hone_arena_init(&arena, 0);
    hone_buf_init(&want, 1 << 26);
    hone_status mine = hone_scan_row(&scan, row);
    hone_status reader = hone_json_parse(row.ptr, row.len, NULL, &arena, &v);
    if (reader >= 0 && v.type == HONE_MAP) {
        if (mine == HONE_E_PARSE || (!which && mine < 0))
            abort();
        if (!which) {
            collect(&v, &want);
            if (want.len != scan.text.len || memcmp(want.ptr, scan.text.ptr, want.len) != 0)
                abort();
        }
    }
    if (mine >= 0)
        use_text(hone_buf_str(&scan.text));
    hone_buf_release(&want);
    hone_arena_release(&arena);
    hone_scan_release(&scan);
    return 0;
}
