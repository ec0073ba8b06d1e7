/* prompt.h - a versioned prompt: messages with variables, filled in one pass.
 *
 *   return {
 *     id = "short-answers", version = "2",
 *     messages = {
 *       { role = "system", content = "Answer in one sentence." },
 *       { role = "user", content = "{{examples}}\n{{question}}" },
 *     },
 *     vars = { question = "what was asked", examples = "worked examples" },
 *     examples = { { input = "...", output = "...", split = "few-shot" } },
 *   }
 *
 * `template = "..."` stands for one message of the user. {{name}} is replaced by what the name is bound to, and what was put in
 * is never looked at again: a text that holds "{{task}}" stays as it is. A line that holds nothing but a variable that is
 * empty is left out. Every variable used must be declared where there are `vars`.
 *
 * Texts that somebody else wrote (a completion, a reference) are put between two lines that hold a random number, the fence, and
 * are made harmless before: invisible characters go, and what looks like a fence, a control token of a chat template, a
 * thought's beginning or end, or a verdict is taken apart. Source: judges.md section 3.
 *
 * The hash is that of the canonical JSON without the changelog, as a rubric's. */
#ifndef HONE_CORE_JUDGE_PROMPT_H
#define HONE_CORE_JUDGE_PROMPT_H
#include "base/json.h"

typedef struct hone_prompt_part {
    hone_str text; /* literal, or the variable's name */
    int is_var;
    int alone; /* the variable is all that its line holds */
} hone_prompt_part;

typedef struct hone_prompt_message {
    hone_str role;
    const hone_prompt_part *parts;
    size_t n_parts;
} hone_prompt_message;

typedef struct hone_prompt {
    hone_arena arena;
    hone_str id, version, title;
    const hone_prompt_message *messages;
    size_t n_messages;
    const hone_str *vars; /* those used, each once */
    size_t n_vars;
    const hone_value *examples; /* a list, or NULL */
    hone_value root;
    hone_str json; /* canonical, without the changelog */
    char hash[65];
} hone_prompt;

typedef struct hone_prompt_binding {
    const char *name;
    hone_str text;
} hone_prompt_binding;

/* `name` is put in errors; from_value copies. E_PARSE, E_INVALID with the place. [any-thread] */
hone_status hone_prompt_read(const char *text, size_t len, const char *name, hone_prompt **out);
hone_status hone_prompt_read_file(const char *path, hone_prompt **out);
hone_status hone_prompt_from_value(const hone_value *v, const char *name, hone_prompt **out);
void hone_prompt_destroy(hone_prompt *p); /* NULL is allowed */

/* The messages, in `arena`. A variable that is bound to nothing is E_INVALID. [any-thread] */
hone_status hone_prompt_render(const hone_prompt *p, const hone_prompt_binding *bindings, size_t n,
                               hone_arena *arena, hone_message **out, size_t *n_out);
/* Is {{var}} somewhere in it? */
int hone_prompt_uses(const hone_prompt *p, const char *var);

/* ---- texts of others --------------------------------------------------------------------------------------- */

enum { HONE_FENCE = 17 }; /* 16 hex digits and a NUL */
/* A fence for one request: a function of `seed` and `index` alone. */
void hone_prompt_fence(uint64_t seed, uint64_t index, char out[HONE_FENCE]);
/* Appends `text` made harmless: valid UTF-8, without invisible and control characters, without a fence, a verdict, a chat
 * template's tokens or a thought's tags as such. Linear in the text. */
hone_status hone_prompt_neutral(hone_str text, const char *fence, hone_buf *out);
/* Appends the text between its fences, under `title`, harmless and at most max_bytes long: head and tail are kept, what is
 * left out is said. */
hone_status hone_prompt_fenced(const char *title, hone_str text, const char *fence,
                               size_t max_bytes, hone_buf *out);
#endif
