/* jinja.h - the part of Jinja2 that chat templates are written in.
 *
 * A template is compiled once into a tree and rendered many times, from any thread. White space is
 * handled as transformers sets it: trim_blocks and lstrip_blocks are on, one trailing newline of the
 * source is dropped. What is not known (a tag, filter, test, method, function, keyword argument) is an
 * error with the line, never a rendering that differs. Rendering has a budget of steps, output bytes
 * and depth, so that a hostile template ends.
 *
 * Statements: for (filter, else, recursive) / if / set (also blocks) / macro / call / filter / with / block (no
 * inheritance) / break / continue / generation / raw / comments. Source: Jinja2 3.1 documentation, chat_template_utils
 * of transformers (loopcontrols, tojson without HTML escapes, raise_exception, strftime_now). */
#ifndef HONE_CORE_TEXT_JINJA_H
#define HONE_CORE_TEXT_JINJA_H
#include "base/buf.h"

typedef struct hone_jinja hone_jinja;

/* Parses `source` (copied). `name` is put in errors ("chat_template:12: ..."); NULL = "template".
 * E_PARSE, E_UNSUPPORTED, E_LIMIT. */
hone_status hone_jinja_create(hone_str source, const char *name, hone_jinja **out);
void hone_jinja_destroy(hone_jinja *t);
/* Has it {% generation %} blocks? */
int hone_jinja_has_generation(const hone_jinja *t);

typedef struct hone_byte_span {
    size_t begin, end;
} hone_byte_span;
typedef struct hone_byte_spans {
    hone_byte_span *v;
    size_t n, cap;
} hone_byte_spans;
void hone_byte_spans_init(hone_byte_spans *s);
void hone_byte_spans_release(hone_byte_spans *s);
hone_status hone_byte_spans_add(hone_byte_spans *s, size_t begin, size_t end);

#define HONE_JINJA_NO_CLOCK INT64_MIN
typedef struct hone_jinja_options {
    int64_t
        now; /* seconds since 1970 for strftime_now (shown as UTC); NO_CLOCK: it is not defined */
    size_t max_steps, max_output; /* 0 = 10 million, 64 MiB */
    hone_byte_spans *generation;  /* gets the spans of generation blocks in `out`, or NULL */
    hone_buf *raised;             /* gets the whole text given to raise_exception, or NULL */
} hone_jinja_options;

/* Appends the rendering with `vars` (a HONE_MAP) to `out`. `opt` may be NULL (no clock). On failure
 * `out` has its old length. E_REFUSED is raise_exception's code, and no other failure's; E_SCRIPT:
 * the template did what Jinja2 refuses too (undefined value, wrong type); E_UNSUPPORTED; E_LIMIT. [any-thread] */
hone_status hone_jinja_render(const hone_jinja *t, const hone_value *vars,
                              const hone_jinja_options *opt, hone_buf *out);
#endif
