/* json.h - JSON in and out; the only file beside json.c that knows cJSON.
 *
 * Reading: text -> a hone_value tree in an arena. Integers without fraction or exponent that fit
 * become HONE_I64 (exact to 64 bits), other numbers HONE_F64. Limits on bytes and depth; duplicate
 * keys, NaN and trailing text are errors; the error names line and column. UTF-8 is checked.
 * Writing: a streaming writer. Doubles are written in the shortest form that reads back equal,
 * floats likewise as float; NaN and infinities as null. Output is the same in every locale. */
#ifndef HONE_CORE_BASE_JSON_H
#define HONE_CORE_BASE_JSON_H
#include "base/arena.h"
#include "base/buf.h"

#define HONE_JSON_DEPTH 512

/* Parse `len` bytes. The tree lives in `arena`. `name` (a path, or NULL) is put in errors. */
hone_status hone_json_parse(const char *text, size_t len, const char *name, hone_arena *arena,
                            hone_value *out);
/* A whole file, at most max_bytes (0 = 256 MiB). */
hone_status hone_json_parse_file(const char *path, size_t max_bytes, hone_arena *arena,
                                 hone_value *out);

/* Look-ups on a tree; NULL when absent or not a map. */
const hone_value *hone_value_get(const hone_value *map, const char *key);
const hone_value *hone_value_get_str(const hone_value *map, hone_str key);
/* Dotted path: "model.vocab"; no escapes. */
const hone_value *hone_value_path(const hone_value *map, const char *dotted);
/* Typed reads with a default when the key is absent or null; E_TYPE (naming the key) when it is of
 * another type. An integral F64 is accepted as I64, I64 as F64. */
hone_status hone_value_i64(const hone_value *map, const char *key, int64_t dflt, int64_t *out);
hone_status hone_value_f64(const hone_value *map, const char *key, double dflt, double *out);
hone_status hone_value_bool(const hone_value *map, const char *key, int dflt, int *out);
hone_status hone_value_string(const hone_value *map, const char *key, hone_str dflt, hone_str *out);
/* A number of either type; NaN for anything else, and for NULL. */
double hone_value_number(const hone_value *v);
/* null, false, 0, NaN, or empty: a setting that asks for nothing. */
int hone_value_says_nothing(const hone_value *v);
int hone_str_eq(hone_str a, const char *z);
int hone_str_same(hone_str a, hone_str b);
/* Deep copy into an arena. */
hone_status hone_value_copy(hone_arena *arena, const hone_value *in, hone_value *out);
int hone_value_equal(const hone_value *a, const hone_value *b);

/* Streaming writer: commas and colons are its business.  {  k  v  }  [ v v ]. indent 0 = compact.
 * Misuse (a key in a list, unbalanced end) sets buf->failed = HONE_E_STATE. */
typedef struct hone_jw {
    hone_buf *out;
    int indent, depth;
    uint64_t is_map[HONE_JSON_DEPTH / 64 + 1], has_items[HONE_JSON_DEPTH / 64 + 1];
    int after_key;
} hone_jw;
void hone_jw_init(hone_jw *w, hone_buf *out, int indent);
void hone_jw_map(hone_jw *w);
void hone_jw_list(hone_jw *w);
void hone_jw_end(hone_jw *w);
void hone_jw_key(hone_jw *w, const char *key);
void hone_jw_key_str(hone_jw *w, hone_str key);
void hone_jw_str(hone_jw *w, hone_str s);     /* invalid UTF-8 becomes U+FFFD */
void hone_jw_cstr(hone_jw *w, const char *z); /* NULL -> null */
void hone_jw_i64(hone_jw *w, int64_t v);
void hone_jw_f64(hone_jw *w, double v);
void hone_jw_f32(hone_jw *w, float v);
void hone_jw_bool(hone_jw *w, int v);
void hone_jw_null(hone_jw *w);
void hone_jw_value(hone_jw *w, const hone_value *v); /* a double stays one: 2 is written as 2.0 */
/* key and value in one */
void hone_jw_kstr(hone_jw *w, const char *k, hone_str s);
void hone_jw_kcstr(hone_jw *w, const char *k, const char *z);
void hone_jw_ki64(hone_jw *w, const char *k, int64_t v);
void hone_jw_kf64(hone_jw *w, const char *k, double v);
void hone_jw_kbool(hone_jw *w, const char *k, int v);
/* Shortest text of a double / float that reads back equal ("0.1", "1e+30", "-3"); returns length. */
size_t hone_format_f64(double v, char out[32]);
size_t hone_format_f32(float v, char out[32]);
/* strtod without locale; *end as strtod. */
double hone_parse_f64(const char *s, const char **end);
#endif
