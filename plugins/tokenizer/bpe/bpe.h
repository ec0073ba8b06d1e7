/* bpe.h - inside the byte-level BPE tokenizer: what its files share.
 *
 * A tokenizer is built once (load_json.c, load_gguf.c fill `bpe_tok`; build.c checks and indexes it)
 * and never changes afterwards, so encode and decode need no lock; each encoding call borrows a
 * bpe_work (buffers and a cache of words) from a small pool.
 *
 * Way of a text: added tokens are cut out (added.c), the rest is normalised (norm.c), cut into words
 * (split.c, scan.c), and each word is merged byte pair by byte pair (merge.c).
 *
 * Invariants: every id in tables is in [0, n_ids); text and bytes of an id live in the arena. */
#ifndef BPE_H
#define BPE_H
#include "hone/tokenizer.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory: mem.c ------------------------------------------------------------------------------ */
typedef struct bpe_mem {
    const hone_mem_v1 *vt; /* NULL: malloc */
    void *self;
} bpe_mem;
void *bpe_alloc(const bpe_mem *m, size_t n); /* zeroed; NULL when there is none */
void *bpe_resize(const bpe_mem *m, void *p, size_t n);
void bpe_free(const bpe_mem *m, void *p);

typedef struct bpe_arena {
    const bpe_mem *mem;
    struct bpe_chunk *head;
} bpe_arena;
void *bpe_arena_alloc(bpe_arena *a, size_t n); /* 8-byte aligned, not zeroed */
void bpe_arena_release(bpe_arena *a);
hone_str bpe_arena_str(bpe_arena *a, const char *p, size_t n); /* copy; {NULL,0} without memory */

/* A growable array of one element type. */
typedef struct bpe_vec {
    void *v;
    size_t n, cap;
} bpe_vec;
/* Room for `more` items of `size` bytes behind n; 0 without memory (or past 2^31 items). */
int bpe_vec_room(const bpe_mem *m, bpe_vec *v, size_t more, size_t size);

/* ---- bytes -> id ---------------------------------------------------------------------------------- */
typedef struct bpe_strmap {
    int32_t *slots; /* -1 = empty */
    uint32_t mask;
    const hone_str *keys; /* by id */
} bpe_strmap;
int bpe_strmap_init(bpe_strmap *s, bpe_arena *a, const hone_str *keys, size_t n_keys);
/* The id that has this key already, or -1 after it was put. */
int32_t bpe_strmap_put(bpe_strmap *s, int32_t id);
int32_t bpe_strmap_get(const bpe_strmap *s, hone_str key);
uint64_t bpe_hash(const void *p, size_t n);

/* ---- merges ---------------------------------------------------------------------------------------- */
typedef struct bpe_merge {
    uint32_t a, b, rank;
    int32_t id; /* -1 = empty slot */
} bpe_merge;
typedef struct bpe_merges {
    bpe_merge *slots;
    uint32_t mask, n;
} bpe_merges;
int bpe_merges_init(bpe_merges *m, bpe_arena *a, size_t n);
/* replace: a later entry for the same pair wins (Hugging Face), otherwise the first (llama.cpp). */
void bpe_merges_put(bpe_merges *m, uint32_t a, uint32_t b, uint32_t rank, int32_t id, int replace);

static inline const bpe_merge *bpe_merges_get(const bpe_merges *m, uint32_t a, uint32_t b)
{
    uint64_t key = (uint64_t)a << 32 | b;
    uint32_t i = (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 32) & m->mask;
    for (;; i = (i + 1) & m->mask) {
        const bpe_merge *e = &m->slots[i];
        if (e->id < 0)
            return NULL;
        if (e->a == a && e->b == b)
            return e;
    }
}

/* ---- added tokens ---------------------------------------------------------------------------------- */
typedef struct bpe_added {
    hone_str content; /* what is looked for (normalised when `normalized`) */
    int32_t id;
    uint8_t special, single_word, lstrip, rstrip, normalized;
} bpe_added;
typedef struct bpe_matcher { /* sorted by content; first[b]: does any begin with byte b */
    const bpe_added **v;
    size_t n;
    uint8_t first[256];
    int only; /* the single first byte, or -1 */
} bpe_matcher;
/* The next match in text[from, len): leftmost, then longest. 0 when there is none. */
int bpe_match_next(const bpe_matcher *m, hone_str text, size_t from, size_t *begin,
                   const bpe_added **out);

/* ---- pre-tokenizer --------------------------------------------------------------------------------- */
enum { BPE_ISOLATED, BPE_REMOVED, BPE_WITH_PREVIOUS, BPE_WITH_NEXT, BPE_CONTIGUOUS };
enum { BPE_STEP_REGEX, BPE_STEP_STRING, BPE_STEP_DIGITS, BPE_STEP_PREFIX_SPACE };
typedef struct bpe_step {
    int kind, behavior, invert;
    int individual; /* DIGITS */
    hone_str pattern;
    void *re; /* pcre2_code */
} bpe_step;
/* Hand-written scanners; the PCRE2 steps are their definition. */
enum { BPE_SCAN_NONE, BPE_SCAN_GPT2, BPE_SCAN_GPT2_DIGITS, BPE_SCAN_LLAMA3, BPE_SCAN_QWEN2 };
#define BPE_RE_GPT2                                                                                \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define BPE_RE_LLAMA3                                                                              \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "                     \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"                                                               \
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define BPE_RE_QWEN2                                                                               \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                          \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"                                                               \
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
enum { BPE_MAX_STEPS = 16 };

typedef struct bpe_piece {
    uint32_t begin, end;
} bpe_piece;

/* Character classes, from Unicode's general category and White_Space. */
enum { BPE_C_OTHER = 0, BPE_C_LETTER = 1, BPE_C_NUMBER = 2, BPE_C_SPACE = 3 };
void bpe_classes_init(void); /* once a process [any-thread] */
int bpe_class(uint32_t code);
/* The character at p (n > 0 bytes left): its code, or 0xFFFFFFFF for a byte that begins none. */
uint32_t bpe_decode_char(const unsigned char *p, size_t n, uint32_t *len);
int bpe_is_word(uint32_t code); /* \w */
/* Ends of the words of text[0, n) by a hand-written scanner: fills at most max, returns how many;
 * *from moves on to where to go on. */
size_t bpe_scan(int scanner, const unsigned char *text, size_t n, size_t *from, uint32_t *ends,
                size_t max);

/* ---- a worker's memory ------------------------------------------------------------------------------- */
enum { BPE_CACHE_IDS = 8, BPE_CACHE_SLOTS = 1 << 14 };
typedef struct bpe_cached {
    uint64_t key[2]; /* the word's bytes, zero-padded */
    uint8_t len, n;  /* len 0 = empty */
    uint8_t pad[6];
    int32_t ids[BPE_CACHE_IDS];
    uint64_t unused;
} bpe_cached;
typedef struct bpe_symbol {
    int32_t id, prev, next;
    uint32_t begin, end; /* bytes of the word */
} bpe_symbol;
typedef struct bpe_heap_item {
    uint32_t rank, pos;
    int32_t id;
} bpe_heap_item;
typedef struct bpe_work {
    struct bpe_work *next;
    const bpe_mem *mem;
    bpe_cached *cache;
    bpe_vec ids, spans;           /* result of the current text */
    bpe_vec symbols, heap;        /* merging one word */
    bpe_vec pieces, pieces2;      /* PCRE2 path */
    bpe_vec norm;                 /* normalised text ... */
    bpe_vec norm_begin, norm_end; /* ... and where each of its bytes comes from */
    bpe_vec prefixed;
    void *match_data; /* pcre2_match_data */
    void *match_context;
    void *jit_stack;
    const char *failed; /* text of a failure that is not memory */
} bpe_work;

/* ---- the tokenizer ------------------------------------------------------------------------------------ */
typedef struct bpe_tok {
    const hone_host *host;
    bpe_mem mem;
    bpe_arena arena;
    /* vocabulary, by id */
    int32_t n_ids;
    hone_str *text;  /* as written; {NULL,0}: no such id */
    hone_str *bytes; /* what decoding gives */
    uint8_t *special;
    bpe_strmap by_text, by_bytes;
    int32_t byte_id[256]; /* -1: no token for this byte */
    int has_gaps;         /* some byte has no token: lengths of ids do not add up to the word's */
    int32_t unk;          /* what a byte without token becomes, or -1: dropped */
    int decode_only;      /* a SentencePiece vocabulary of GGUF */
    int strip_after_bos;  /* SentencePiece: the space in front of a text is not the text's */
    int ignore_merges;    /* a word that is a token is that token */
    bpe_merges merges;
    /* rules */
    bpe_added *added;
    size_t n_added;
    bpe_matcher raw, raw_plain, norm, norm_plain; /* *_plain: without special tokens */
    int nfc;
    int scanner, force_regex;
    bpe_step steps[BPE_MAX_STEPS];
    int n_steps;
    int32_t *add_front, *add_back; /* the post-processor's ids */
    size_t n_front, n_back;
    int32_t bos, eos, pad, unk_special;
    char fingerprint[65];
    /* pool */
    atomic_flag pool_lock;
    bpe_work *pool;
} bpe_tok;

#define BPE_MAX_ID (1 << 22)

/* load_json.c, load_gguf.c: fill the tokenizer from `spec`. Failures carry text. */
hone_status bpe_load_json(bpe_tok *t, const hone_value *spec);
hone_status bpe_load_gguf(bpe_tok *t, const hone_value *spec);
/* build.c: tables. bpe_vocab_begin makes room for ids [0, n); set() puts one. */
hone_status bpe_vocab_begin(bpe_tok *t, int32_t n_ids, const char *where);
hone_status bpe_vocab_set(bpe_tok *t, int32_t id, hone_str text, const char *where);
hone_status bpe_vocab_done(bpe_tok *t,
                           const char *where); /* maps; byte_id from the byte-level alphabet */
hone_status bpe_merge_add(bpe_tok *t, size_t index, hone_str a, hone_str b, int replace);
hone_status bpe_tok_finish(bpe_tok *t); /* matchers, scanner choice, regex, fingerprint */
/* The byte-level alphabet: bytes of a token's text, or 0 when a character is outside of it. */
int bpe_unmap(hone_str text, char *out, size_t *n);

/* merge.c: appends the ids (and spans, offset by `base`) of one word. 0 without memory. */
int bpe_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n, size_t base,
             int spans);
/* split.c: appends the ids of normalised text; `base` = its place in `spans`. */
hone_status bpe_segment(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                        size_t base, int spans);
hone_status bpe_step_compile(bpe_tok *t, bpe_step *s);
void bpe_step_release(bpe_step *s);
void bpe_work_release_match(bpe_work *w);
/* norm.c: NFC of text into w->norm with the origin of each byte; *same = 1 when nothing changes. */
hone_status bpe_nfc(bpe_work *w, const unsigned char *text, size_t n, int map, int *same);
int bpe_nfc_str(bpe_arena *a, hone_str in, hone_str *out);
/* encode.c */
hone_status bpe_encode(const bpe_tok *t, bpe_work *w, hone_str text, uint32_t flags);

/* helpers on values */
const hone_value *bpe_get(const hone_value *map, const char *key); /* NULL when absent or null */
int bpe_is(const hone_value *v, const char *z);                    /* a string equal to z */
int bpe_flag(const hone_value *map, const char *key, int dflt);
#endif
