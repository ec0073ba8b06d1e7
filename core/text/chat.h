/* chat.h - a model's chat template applied to messages, and which tokens were the assistant's.
 *
 * Messages are a HONE_LIST of HONE_MAPs as in the JSON of every API: role, content, and whatever the
 * template reads (tool_calls, name, reasoning_content ...). The loss mask comes from rendering: from
 * {% generation %} blocks when the template has them, otherwise by comparing the rendering of the whole
 * conversation with those of its prefixes; what does not fit together is an error that shows the text,
 * never a guessed mask. */
#ifndef HONE_CORE_TEXT_CHAT_H
#define HONE_CORE_TEXT_CHAT_H
#include "base/arena.h"
#include "text/jinja.h"
#include "text/tokenizer.h"

typedef struct hone_chat hone_chat;

/* `source`: the Jinja text. `name`: for errors, or NULL. bos and eos are the variables bos_token and
 * eos_token ({NULL,0}: undefined). All copied. */
hone_status hone_chat_create(hone_str source, const char *name, hone_str bos, hone_str eos,
                             hone_chat **out);
void hone_chat_destroy(hone_chat *c);
hone_str hone_chat_source(const hone_chat *c); /* borrowed */

typedef struct hone_chat_options {
    const hone_value *tools; /* a list, or NULL: the variable is none, as transformers has it */
    const hone_value *extra; /* a map of further variables (enable_thinking ...), or NULL */
    const hone_value *documents;
    int add_generation_prompt;
    size_t given;     /* hone_chat_encode: of so many first messages nothing is trained on */
    int64_t now;      /* as in hone_jinja_options; 0 is taken as HONE_JINJA_NO_CLOCK */
    hone_buf *raised; /* as in hone_jinja_options */
} hone_chat_options;

/* Appends the rendering. opt may be NULL. Failures: as hone_jinja_render; E_TYPE when messages is no
 * list of maps with a role. [any-thread] */
hone_status hone_chat_render(const hone_chat *c, const hone_value *messages,
                             const hone_chat_options *opt, hone_buf *out);
/* For callers that hold plain messages. [any-thread] */
hone_status hone_chat_render_messages(const hone_chat *c, const hone_message *messages, size_t n,
                                      const hone_chat_options *opt, hone_buf *out);

/* Renders (without generation prompt) and finds the bytes the assistant wrote: each turn's text with
 * its end mark. [any-thread] */
hone_status hone_chat_render_spans(const hone_chat *c, const hone_value *messages,
                                   const hone_chat_options *opt, hone_buf *out,
                                   hone_byte_spans *assistant);
/* Ids of the conversation with mask 1 on assistant tokens (`out` is cleared first and gets spans and mask), but
 * those of the first opt->given messages as they are rendered with the generation prompt.
 * White space that the template puts behind the token that ends a turn is not the assistant's. Where a token
 * would join a prompt's end with an answer's beginning, the parts are encoded apart, as they are when the
 * model generates. An empty or total mask is E_INVALID with the text. [any-thread] */
hone_status hone_chat_encode(const hone_chat *c, const hone_tokenizer *t,
                             const hone_value *messages, const hone_chat_options *opt,
                             hone_tokens *out);
/* Ids of the prompt: the rendering encoded with special tokens, none added. Spans as `out` wants. [any-thread] */
hone_status hone_chat_prompt(const hone_chat *c, const hone_tokenizer *t,
                             const hone_value *messages, const hone_chat_options *opt,
                             hone_tokens *out);

/* The list of messages as a value in an arena (strings borrowed). */
hone_status hone_chat_messages(const hone_message *messages, size_t n, hone_arena *arena,
                               hone_value *out);
#endif
