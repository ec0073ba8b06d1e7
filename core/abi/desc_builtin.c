/* desc_builtin.c - the descriptions of all interfaces that hone ships.
 *
 * Each struct of the SDK that a call carries has its rows here, each vtable its signatures. The compiler
 * checks rows against structs (desc.h); tests/unit/test_desc.c checks every signature against the
 * function pointer's declaration in the header, so neither can drift.
 * Source: plugin-abi.md section 3a; the headers say what each call means. */
#include "abi/desc.h"

#include "hone/hone.h"

#include <string.h>

#define NULLABLE HONE_M_NULLABLE
#define MUTABLE HONE_M_MUTABLE
#define OPTIONAL HONE_SLOT_OPTIONAL
#define BATCH (HONE_SLOT_BATCH | HONE_SLOT_CANCELLABLE)
#define LOCAL HONE_SLOT_LOCAL

/* ---- samples and outcomes ------------------------------------------------------------------------ */

HONE_DESCRIBE(message, hone_message, HONE_STRUCT_FROZEN, (STR, role), (STR, content))
HONE_DESCRIBE(column, hone_column, HONE_STRUCT_FROZEN, (STR, name), (VALUE, value))
HONE_DESCRIBE(sample, hone_sample, 0, (NUM, id), (NUM, group), (STR, prompt), (STR, completion),
              (STRUCTS, messages, n_messages, message, NULLABLE), (NUM, n_messages),
              (NUMS, tokens, n_tokens, NULLABLE), (NUMS, logprobs, n_tokens, NULLABLE),
              (NUM, n_tokens), (STRUCTS, columns, n_columns, column, NULLABLE), (NUM, n_columns),
              (NUM, finish), (NUM, turn))
HONE_DESCRIBE(outcome, hone_outcome, 0, (NUM, status), (NUM, score))
HONE_DESCRIBE(notes, hone_notes, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, put, 0, "this, sample:size, name:str, value:value -> void",
               "a named value beside an outcome"))
HONE_DESCRIBE(token_scores, hone_token_scores, HONE_STRUCT_SINK, (SIZE, struct_size),
              (PAD, reserved), (OPAQUE, ctx),
              (SLOT, put, 0,
               "this, sample:size, outcome:by hone_outcome, scores:[f32; n], n:size -> status",
               "one number per completion token, and the sample's outcome"))

#define SCORE_ARGS "self, call, in:[hone_sample; n, in_stride], n:size, in_stride:size, "
HONE_DESCRIBE_IFACE(
    reward, hone_reward_v1, HONE_IFACE_REWARD, HONE_KIND_REWARD,
    (&sample, &outcome, &notes, &token_scores, &message, &column), (SIZE, struct_size),
    (PAD, reserved),
    (SLOT, score, OPTIONAL | BATCH,
     SCORE_ARGS
     "out:out [hone_outcome; n, out_stride], out_stride:size, notes:sink hone_notes? -> status",
     "scores n samples"),
    (SLOT, score_tokens, OPTIONAL | BATCH, SCORE_ARGS "sink:sink hone_token_scores -> status",
     "one number per completion token"),
    (SLOT, score_groups, OPTIONAL | HONE_SLOT_CANCELLABLE,
     SCORE_ARGS
     "out:out [hone_outcome; n, out_stride], out_stride:size, notes:sink hone_notes? -> status",
     "scores whole groups"))

/* ---- judges ---------------------------------------------------------------------------------------- */

HONE_DESCRIBE(criterion, hone_criterion, HONE_STRUCT_FROZEN, (STR, name), (STR, text))
HONE_DESCRIBE(judge_item, hone_judge_item, 0, (NUM, id), (STR, prompt),
              (STRUCTS, messages, n_messages, message, NULLABLE), (NUM, n_messages),
              (STRS, candidates, n_candidates, 0), (NUM, n_candidates), (STR, reference),
              (STR, rubric), (STRUCTS, criteria, n_criteria, criterion, NULLABLE),
              (NUM, n_criteria), (STRUCTS, columns, n_columns, column, NULLABLE), (NUM, n_columns))
HONE_DESCRIBE(verdict, hone_verdict, 0, (SIZE, struct_size), (NUM, status), (NUM, score),
              (NUMS, ranking, n_ranking, NULLABLE), (NUM, n_ranking),
              (NUMS, criteria, n_criteria, NULLABLE), (NUM, n_criteria),
              (NUMS, label_probs, n_label_probs, NULLABLE), (NUM, n_label_probs), (STR, reasoning),
              (STR, spec_hash), (NUM, cost), (NUM, latency_ns), (NUM, detail), (NUM, orders),
              (NUM, mass), (NUM, entropy), (NUM, inconsistency), (NUM, tokens_in),
              (NUM, tokens_out), (STRS, labels, n_label_probs, NULLABLE),
              (STRS, criterion_names, n_criteria, NULLABLE),
              (NUMS, candidate_scores, n_ranking, NULLABLE), (NUM, score_error), (STR, raw))
HONE_DESCRIBE(verdict_sink, hone_verdict_sink, HONE_STRUCT_SINK, (SIZE, struct_size),
              (PAD, reserved), (OPAQUE, ctx),
              (SLOT, put, 0, "this, item:size, verdict:hone_verdict -> status",
               "the verdict on one item"))
HONE_DESCRIBE_IFACE(judge, hone_judge_v1, HONE_IFACE_JUDGE, HONE_KIND_JUDGE,
                    (&judge_item, &verdict, &verdict_sink, &message, &column, &criterion),
                    (SIZE, struct_size), (PAD, reserved),
                    (SLOT, judge, BATCH,
                     "self, call, items:[hone_judge_item; n, stride], n:size, stride:size, "
                     "sink:sink hone_verdict_sink -> status",
                     "judges n items"),
                    (SLOT, spec, OPTIONAL, "self -> str", "what its verdicts depend on, as JSON"))

HONE_DESCRIBE(question, hone_judging_question, 0, (NUM, item), (NUM, number), (NUM, attempt),
              (NUM, seed), (STRUCTS, messages, n_messages, message, NULLABLE), (NUM, n_messages),
              (STR, text), (STR, prefix), (STRS, labels, n_labels, NULLABLE), (NUM, n_labels),
              (STR, schema), (NUM, temperature), (NUM, max_tokens), (PAD, reserved))
HONE_DESCRIBE(question_sink, hone_judging_sink, HONE_STRUCT_SINK, (SIZE, struct_size),
              (PAD, reserved), (OPAQUE, ctx),
              (SLOT, put, 0, "this, question:hone_judging_question -> status", "one question more"))
HONE_DESCRIBE(answer, hone_judging_answer, 0, (NUM, item), (NUM, number), (NUM, attempt),
              (NUM, detail), (PAD, reserved), (STR, text),
              (NUMS, label_logprobs, n_labels, NULLABLE), (NUM, n_labels), (NUM, cost),
              (NUM, latency_ns), (NUM, tokens_in), (NUM, tokens_out))
HONE_DESCRIBE_IFACE(
    judging, hone_judging_v1, HONE_IFACE_JUDGING, NULL,
    (&judge_item, &question, &question_sink, &answer, &verdict, &verdict_sink, &message, &column,
     &criterion),
    (SIZE, struct_size), (PAD, reserved),
    (SLOT, open, 0, "self, settings:value, spec:out u64 -> status", "reads rubric and prompt"),
    (SLOT, close, 0, "self, spec:u64 -> void", "lets go of them"),
    (SLOT, describe, 0, "self, spec:u64 -> str", "the spec as JSON"),
    (SLOT, ask, 0,
     "self, spec:u64, items:[hone_judge_item; n, stride], n:size, stride:size, "
     "sink:sink hone_judging_sink -> status",
     "the questions of n items"),
    (SLOT, settle, HONE_SLOT_CANCELLABLE,
     "self, spec:u64, call, items:[hone_judge_item; n, stride], n:size, stride:size, "
     "answers:[hone_judging_answer; n_answers, answer_stride], n_answers:size, answer_stride:size, "
     "verdicts:sink hone_verdict_sink, again:sink hone_judging_sink -> status",
     "answers to verdicts"))

/* ---- environments (a draft) -------------------------------------------------------------------------- */

HONE_DESCRIBE(episode, hone_episode, 0, (NUM, id), (NUM, group), (NUM, seed), (STR, prompt),
              (STRUCTS, columns, n_columns, column, NULLABLE), (NUM, n_columns))
HONE_DESCRIBE(action, hone_action, 0, (NUM, id), (STR, text), (NUMS, tokens, n_tokens, NULLABLE),
              (NUM, n_tokens), (NUM, turn), (NUM, finish), (NUM, last), (PAD, reserved))
HONE_DESCRIBE(observation, hone_observation, 0, (SIZE, struct_size), (NUM, status), (NUM, reward),
              (STR, text), (STR, role), (STR, reason))
HONE_DESCRIBE(observation_sink, hone_observation_sink, HONE_STRUCT_SINK, (SIZE, struct_size),
              (PAD, reserved), (OPAQUE, ctx),
              (SLOT, put, 0, "this, item:size, observation:hone_observation -> status",
               "the answer to one episode or action"))
HONE_DESCRIBE_IFACE(environment, hone_environment_v1, HONE_IFACE_ENVIRONMENT, HONE_KIND_ENVIRONMENT,
                    (&episode, &action, &observation, &observation_sink, &column),
                    (SIZE, struct_size), (PAD, reserved),
                    (SLOT, reset, HONE_SLOT_CANCELLABLE,
                     "self, call, episodes:[hone_episode; n, stride], n:size, stride:size, "
                     "sink:sink hone_observation_sink -> status",
                     "begins n episodes"),
                    (SLOT, step, HONE_SLOT_CANCELLABLE,
                     "self, call, actions:[hone_action; n, stride], n:size, stride:size, "
                     "sink:sink hone_observation_sink -> status",
                     "answers n actions"),
                    (SLOT, forget, OPTIONAL, "self, ids:[u64; n], n:size -> status",
                     "these episodes are over"),
                    (SLOT, tools, OPTIONAL, "self -> str",
                     "a JSON list of tools, for the template"))

/* ---- tokenizers ------------------------------------------------------------------------------------ */

HONE_DESCRIBE(span32, hone_span32, HONE_STRUCT_FROZEN, (NUM, begin), (NUM, end))
HONE_DESCRIBE(ids, hone_ids, HONE_STRUCT_FROZEN, (NUMS, ids, n, 0), (NUM, n))
HONE_DESCRIBE(ids_sink, hone_ids_sink, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, put, 0,
               "this, text:size, ids:[i32; n], offsets:[hone_span32; n]?, n:size -> status",
               "all ids of one text"))
HONE_DESCRIBE(text_sink, hone_text_sink, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, put, 0, "this, index:size, text:str -> status", "the text of one list of ids"))
HONE_DESCRIBE_IFACE(
    tokenizer, hone_tokenizer_v1, HONE_IFACE_TOKENIZER, HONE_KIND_TOKENIZER,
    (&ids, &ids_sink, &text_sink, &span32), (SIZE, struct_size), (PAD, reserved),
    (SLOT, encode, 0, "self, texts:[str; n], n:size, flags:u32, sink:sink hone_ids_sink -> status",
     "texts to ids"),
    (SLOT, decode, 0,
     "self, ids:[hone_ids; n], n:size, flags:u32, sink:sink hone_text_sink -> status",
     "ids to bytes"),
    (SLOT, vocab_size, 0, "self -> i32", "highest id + 1"),
    (SLOT, token_bytes, 0, "self, id:i32 -> str", "what decode would give"),
    (SLOT, token_text, 0, "self, id:i32 -> str", "as written in the vocabulary"),
    (SLOT, token_id, 0, "self, text:str -> i32", "by vocabulary or special text; -1"),
    (SLOT, special, 0, "self, name:cstr -> i32", "bos, eos, pad, unk; -1"),
    (SLOT, is_special, 0, "self, id:i32 -> i32", "1 for a special token"),
    (SLOT, fingerprint, 0, "self, hex:out [char; 65] -> void",
     "SHA-256 over vocabulary, merges, rules"),
    (SLOT, cut, OPTIONAL, "self, text:str, flags:u32 -> i32",
     "where a text may be cut, whatever follows; 0: nowhere"))

/* ---- the run's models, for whoever asks -------------------------------------------------------------- */

HONE_DESCRIBE(score_item, hone_score_item, 0, (STR, prompt), (STR, completion),
              (NUMS, prompt_ids, n_prompt_ids, NULLABLE), (NUM, n_prompt_ids),
              (NUMS, ids, n_ids, NULLABLE), (NUM, n_ids))
HONE_DESCRIBE(logprob_sink, hone_logprob_sink, HONE_STRUCT_SINK, (SIZE, struct_size),
              (PAD, reserved), (OPAQUE, ctx),
              (SLOT, put, 0, "this, item:size, ids:[i32; n], logprobs:[f32; n], n:size -> status",
               "the log-probs of one item"))
HONE_DESCRIBE(label_item, hone_label_item, 0, (STR, prompt),
              (STRUCTS, messages, n_messages, message, NULLABLE), (NUM, n_messages), (STR, begin),
              (STRS, labels, n_labels, 0), (NUM, n_labels))
HONE_DESCRIBE(label_sink, hone_label_sink, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, put, 0, "this, item:size, logprobs:[f64; n], n:size, n_tokens:u64 -> status",
               "the log-probs of one item's labels"))
HONE_DESCRIBE(answer_item, hone_answer_item, 0, (STR, prompt),
              (STRUCTS, messages, n_messages, message, NULLABLE), (NUM, n_messages), (STR, begin),
              (STR, grammar), (STR, schema), (NUM, sample))
HONE_DESCRIBE(answer_rule, hone_answer_rule, 0, (SIZE, struct_size), (NUM, max_tokens),
              (NUM, temperature), (NUM, top_p), (NUM, seed))
HONE_DESCRIBE(answer_sink, hone_answer_sink, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, put, 0,
               "this, item:size, text:str, finish:u32, ids:[i32; n], logprobs:[f32; n], n:size, "
               "n_prompt:u64 -> status",
               "one answer"))
HONE_DESCRIBE(value_item, hone_value_item, 0, (STR, prompt), (STR, completion),
              (STRUCTS, messages, n_messages, message, NULLABLE), (NUM, n_messages))
HONE_DESCRIBE(embed_item, hone_embed_item, 0, (STR, text), (NUMS, ids, n_ids, NULLABLE),
              (NUM, n_ids))
HONE_DESCRIBE(embed_sink, hone_embed_sink, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, put, 0, "this, item:size, vector:[f32; n], n:size, n_tokens:u64 -> status",
               "the embedding of one text"))
HONE_DESCRIBE_IFACE(
    model_scorer, hone_model_scorer_v1, HONE_IFACE_SCORER, NULL,
    (&score_item, &logprob_sink, &label_item, &label_sink, &answer_item, &answer_rule, &answer_sink,
     &value_item, &text_sink, &message, &embed_item, &embed_sink),
    (SIZE, struct_size), (PAD, reserved),
    (SLOT, logprobs, HONE_SLOT_CANCELLABLE,
     "self, call:call?, model:str, items:[hone_score_item; n, stride], n:size, "
     "stride:size, sink:sink hone_logprob_sink -> status",
     "log-probs of given tokens"),
    (SLOT, labels, OPTIONAL | HONE_SLOT_CANCELLABLE,
     "self, call:call?, model:str, items:[hone_label_item; n, stride], n:size, stride:size, "
     "sink:sink hone_label_sink -> status",
     "how likely given texts are, from one prefill"),
    (SLOT, answers, OPTIONAL | HONE_SLOT_CANCELLABLE,
     "self, call:call?, model:str, rule:hone_answer_rule, items:[hone_answer_item; n, stride], "
     "n:size, stride:size, sink:sink hone_answer_sink -> status",
     "draws answers, within a grammar or free"),
    (SLOT, values, OPTIONAL | HONE_SLOT_CANCELLABLE,
     "self, call:call?, model:str, items:[hone_value_item; n, stride], n:size, stride:size, "
     "out:out [f64; n] -> status",
     "what a reward model's head gives"),
    (SLOT, describe, OPTIONAL, "self, call:call?, model:str, sink:sink hone_text_sink -> status",
     "the model, as JSON"),
    (SLOT, embed, OPTIONAL | HONE_SLOT_CANCELLABLE,
     "self, call:call?, model:str, flags:u32, items:[hone_embed_item; n, stride], n:size, "
     "stride:size, sink:sink hone_embed_sink -> status",
     "what the model makes of texts, as vectors"))

/* ---- the network --------------------------------------------------------------------------------------- */

HONE_DESCRIBE(http_header, hone_http_header, HONE_STRUCT_FROZEN, (STR, name), (STR, value),
              (STR, secret))
HONE_DESCRIBE(http_request, hone_http_request, 0, (STR, method), (STR, url),
              (STRUCTS, headers, n_headers, http_header, NULLABLE), (NUM, n_headers),
              (NUMS, body, n_body, NULLABLE), (NUM, n_body))
HONE_DESCRIBE(http_policy, hone_http_policy, 0, (SIZE, struct_size), (NUM, tries),
              (NUM, concurrency), (NUM, timeout_ms), (NUM, connect_ms), (NUM, backoff_ms),
              (NUM, backoff_max_ms), (NUM, retry_after_max_ms), (NUM, hedge_ms), (NUM, break_after),
              (NUM, break_ms), (PAD, reserved), (NUM, max_body), (NUM, max_sends), (NUM, seed),
              (NUM, rate), (NUM, burst))
HONE_DESCRIBE(http_response, hone_http_response, 0, (SIZE, struct_size), (NUM, status), (NUM, code),
              (NUM, attempts), (NUM, lost), (PAD, reserved), (NUMS, body, n_body, NULLABLE),
              (NUM, n_body), (STRUCTS, headers, n_headers, http_header, NULLABLE), (NUM, n_headers),
              (STR, why), (NUM, latency_ns))
HONE_DESCRIBE(http_sink, hone_http_sink, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, put, 0, "this, request:size, response:hone_http_response -> status",
               "the response to one request"))
HONE_DESCRIBE_IFACE(http, hone_http_v1, HONE_IFACE_HTTP, NULL,
                    (&http_header, &http_request, &http_policy, &http_response, &http_sink),
                    (SIZE, struct_size), (PAD, reserved),
                    (SLOT, exchange, HONE_SLOT_CANCELLABLE,
                     "self, call:call?, policy:hone_http_policy?, "
                     "requests:[hone_http_request; n, stride], n:size, stride:size, "
                     "sink:sink hone_http_sink -> status",
                     "sends n requests and waits for all responses"),
                    (SLOT, count, 0, "self, counter:u32, add:u64, now:out u64 -> status",
                     "numbers that outlive a box"))

/* ---- optimizers ------------------------------------------------------------------------------------ */

HONE_DESCRIBE(opt_param, hone_opt_param, 0, (SIZE, struct_size), (NUM, group), (STR, name),
              (NUM, rows), (NUM, cols), (NUM, flags), (PAD, reserved))
HONE_DESCRIBE(opt_state_spec, hone_opt_state_spec, 0, (SIZE, struct_size), (NUM, n_buffers),
              (INCSTRS, names, HONE_OPT_MAX_STATE), (INNUMS, kinds, HONE_OPT_MAX_STATE),
              (NUM, block), (NUM, cut), (NUM, tag), (PAD, reserved), (NUM, scratch))
HONE_DESCRIBE(opt_slice, hone_opt_slice, 0, (NUMS, param, length, MUTABLE), (NUMS, grad, length, 0),
              (INPTRS, state, HONE_OPT_MAX_STATE, length, MUTABLE | NULLABLE), (NUM, length),
              (NUM, rows), (NUM, cols), (NUM, layout), (NUM, group), (NUM, lr), (NUM, weight_decay),
              (OPAQUE, scratch), (NUM, tag), (PAD, reserved))
HONE_DESCRIBE(opt_info, hone_opt_info, 0, (SIZE, struct_size), (PAD, reserved), (NUM, step),
              (NUM, grad_scale), (NUM, grad_norm))
HONE_DESCRIBE_IFACE(
    optimizer, hone_optimizer_v1, HONE_IFACE_OPTIMIZER, HONE_KIND_OPTIMIZER,
    (&opt_param, &opt_state_spec, &opt_slice, &opt_info), (SIZE, struct_size), (NUM, flags),
    (SLOT, state_spec, 0, "self, param:hone_opt_param, spec:out hone_opt_state_spec -> status",
     "what state a parameter needs"),
    (SLOT, step, LOCAL,
     "self, slices:[hone_opt_slice; n, stride], n:size, stride:size, info:hone_opt_info -> status",
     "updates every slice"),
    (SLOT, evaluation, LOCAL | OPTIONAL,
     "self, slices:[hone_opt_slice; n, stride], n:size, stride:size, info:hone_opt_info -> status",
     "the weights to evaluate, in place of those trained with"))

/* ---- sources --------------------------------------------------------------------------------------- */

HONE_DESCRIBE(bytes_sink, hone_bytes_sink, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, put, 0, "this, bytes:[u8; n], n:size -> status", "some bytes more"))
HONE_DESCRIBE_IFACE(
    source, hone_source_v1, HONE_IFACE_SOURCE, HONE_KIND_SOURCE, (&bytes_sink), (SIZE, struct_size),
    (PAD, reserved),
    (SLOT, open, LOCAL, "self, out:stream -> status", "a stream from the position"),
    (SLOT, position, 0, "self, sink:sink hone_bytes_sink -> status", "where the next batch begins"),
    (SLOT, seek, 0, "self, position:[u8; n]?, n:size -> status",
     "to a position, n = 0 to the start"),
    (SLOT, row_count, 0, "self -> i64", "all rows, or -1"),
    (SLOT, skipped, OPTIONAL, "self -> i64", "rows left out so far"),
    (SLOT, push_down, OPTIONAL,
     "self, columns:[str; n_columns]?, n_columns:size, filter:str, limit:i64 -> status",
     "hand over less"))

/* ---- models ---------------------------------------------------------------------------------------- */

HONE_DESCRIBE(shape_desc, hone_shape, HONE_STRUCT_FROZEN, (NUM, rows), (NUM, cols), (NUM, dtype),
              (NUM, layout))
HONE_DESCRIBE(param_spec, hone_param_spec, 0, (SIZE, struct_size), (NUM, flags), (CSTR, name),
              (CSTR, gguf_name), (CSTR, role), (NUM, rows), (NUM, cols), (NUM, init),
              (NUM, init_std), (NUM, gguf_permute_heads), (NUM, layer), (NUM, gguf_offset),
              (PAD, reserved_f))
HONE_DESCRIBE(model_info, hone_model_info, 0, (SIZE, struct_size), (NUM, n_layers),
              (NUM, vocab_size), (NUM, hidden), (NUM, max_positions), (NUM, n_heads),
              (NUM, n_kv_heads), (NUM, head_dim), (NUM, intermediate), (NUM, embed), (NUM, head),
              (NUM, logit_scale), (NUM, logit_softcap), (NUM, n_state_slots), (PAD, reserved),
              (NUM, state_floats), (NUM, embed_scale), (PAD, reserved_f), (NUM, state_flags),
              (PAD, reserved_s))
HONE_DESCRIBE(store, hone_store_v1, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, param, 0, "this, spec:hone_param_spec -> param", "names a parameter"),
              (SLOT, info, 0, "this, info:hone_model_info -> void", "sizes of the model, once"),
              (SLOT, fail, 0, "this, s:status, text:str -> status", "why declare fails"),
              (SLOT, used_key, 0, "this, key:cstr -> void",
               "a configuration key that was understood"),
              (SLOT, rename, OPTIONAL, "this, from:cstr, to:cstr -> status",
               "another beginning of names in files"),
              (SLOT, skip, OPTIONAL, "this, prefix:cstr -> status", "tensors that are left out"))
HONE_DESCRIBE(rope, hone_rope, 0, (SIZE, struct_size), (NUM, interleaved), (NUM, n_heads),
              (NUM, head_dim), (NUM, rotary_dim), (NUM, scaling), (NUM, theta), (NUM, factor),
              (NUM, low_freq_factor), (NUM, high_freq_factor), (NUM, original_max_positions),
              (NUM, beta_fast), (NUM, beta_slow), (NUM, attention_factor),
              (NUMS, factors, n_factors, NULLABLE), (NUM, n_factors))
HONE_DESCRIBE(attention, hone_attention, 0, (SIZE, struct_size), (NUM, slot), (NUM, n_heads),
              (NUM, n_kv_heads), (NUM, head_dim), (NUM, window), (NUM, scale), (NUM, softcap))
HONE_DESCRIBE(
    graph, hone_graph_v1, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
    (SLOT, mode, 0, "c:ctx -> u32", "HONE_MODE_*"),
    (SLOT, embed, 0, "c:ctx, table:param, scale:f32 -> tensor",
     "rows of a table for the batch's tokens"),
    (SLOT, linear, 0, "c:ctx, x:tensor, w:param, bias:param -> tensor", "x W^T + b"),
    (SLOT, rmsnorm, 0, "c:ctx, x:tensor, w:param, eps:f32, w_offset:f32 -> tensor",
     "RMS norm of rows"),
    (SLOT, add_rmsnorm, 0,
     "c:ctx, x:tensor, delta:tensor, w:param, eps:f32, w_offset:f32, sum:out tensor -> tensor",
     "sum = x + delta and its RMS norm"),
    (SLOT, head_rmsnorm, 0,
     "c:ctx, x:tensor, w:param, n_heads:i32, eps:f32, w_offset:f32 -> tensor",
     "RMS norm of each head"),
    (SLOT, layernorm, 0, "c:ctx, x:tensor, w:param, b:param, eps:f32 -> tensor",
     "layer norm of rows"),
    (SLOT, rope, 0, "c:ctx, x:tensor, rope:hone_rope -> tensor", "rotary positions"),
    (SLOT, attention, 0, "c:ctx, q:tensor, k:tensor, v:tensor, a:hone_attention -> tensor",
     "attention"),
    (SLOT, swiglu, 0, "c:ctx, gate:tensor, up:tensor -> tensor", "silu(gate) * up"),
    (SLOT, geglu, 0, "c:ctx, gate:tensor, up:tensor -> tensor", "gelu(gate) * up"),
    (SLOT, gelu, 0, "c:ctx, x:tensor -> tensor", "gelu, tanh form"),
    (SLOT, add, 0, "c:ctx, a:tensor, b:tensor -> tensor", "a + b"),
    (SLOT, mul, 0, "c:ctx, a:tensor, b:tensor -> tensor", "a * b"),
    (SLOT, scale, 0, "c:ctx, a:tensor, factor:f32 -> tensor", "a * factor"),
    (SLOT, param, 0, "c:ctx, p:param -> tensor", "a vector parameter as a tensor"),
    (SLOT, slice, 0, "c:ctx, a:tensor, first_col:i64, n_cols:i64 -> tensor", "some columns"),
    (SLOT, concat, 0, "c:ctx, a:tensor, b:tensor -> tensor", "columns side by side"),
    (SLOT, op, 0,
     "c:ctx, name:cstr, in:[tensor; n_in], n_in:u32, attr:[u8; attr_size]?, attr_size:size, "
     "out:out [tensor; n_out], n_out:u32 -> status",
     "any op by name"),
    (SLOT, block, 0, "c:ctx, layer:i32 -> void", "a transformer block begins"),
    (SLOT, shape, 0, "c:ctx, t:tensor, out:out hone_shape -> status",
     "rows and columns of a tensor"))
HONE_DESCRIBE_IFACE(model, hone_model_v1, HONE_IFACE_MODEL, HONE_KIND_MODEL,
                    (&store, &graph, &param_spec, &model_info, &rope, &attention, &shape_desc),
                    (SIZE, struct_size), (PAD, reserved),
                    (SLOT, probe, 0, "self, format:str, config:value -> i32",
                     "0..100: how sure it can run this"),
                    (SLOT, declare, LOCAL,
                     "self, format:str, config:value, store:sink hone_store_v1 -> status",
                     "names the parameters"),
                    (SLOT, forward, LOCAL, "self, g:sink hone_graph_v1, c:ctx -> tensor",
                     "records the forward pass"),
                    (SLOT, config_json, 0, "self -> str", "config.json, for saving"),
                    (SLOT, gguf_json, 0, "self -> str", "GGUF metadata, for saving"),
                    (SLOT, runs, OPTIONAL, "self -> str", "names of what it runs, for hints"))

/* ---- objectives and advantages ----------------------------------------------------------------------- */

HONE_DESCRIBE(objective_in, hone_objective_in, 0, (SIZE, struct_size), (PAD, reserved),
              (NUM, n_tokens), (NUM, n_seqs), (NUMS, seq_begin, n_seqs, HONE_M_PLUS1),
              (NUMS, logp, n_tokens, 0), (NUMS, mask, n_tokens, 0),
              (NUMS, old_logp, n_tokens, NULLABLE), (NUMS, ref_logp, n_tokens, NULLABLE),
              (NUMS, sampler_logp, n_tokens, NULLABLE), (NUMS, entropy, n_tokens, NULLABLE),
              (NUMS, value, n_tokens, NULLABLE), (NUMS, advantage, n_tokens, NULLABLE),
              (NUMS, length, n_seqs, 0), (NUMS, group, n_seqs, NULLABLE),
              (NUMS, role, n_seqs, NULLABLE), (NUM, total_tokens), (NUM, total_seqs),
              (NUM, total_pairs), (NUM, max_length), (NUMS, teacher_logp, n_tokens, NULLABLE),
              (NUMS, divergence, n_tokens, NULLABLE), (NUMS, collision, n_tokens, NULLABLE),
              (NUMS, margin, n_seqs, NULLABLE), (NUM, total_chosen_tokens),
              (NUMS, truncated, n_seqs, NULLABLE), (NUM, total_chosen_seqs),
              (NUMS, old_value, n_tokens, NULLABLE), (NUMS, returns, n_tokens, NULLABLE))
HONE_DESCRIBE(objective_out, hone_objective_out, 0, (SIZE, struct_size), (PAD, reserved),
              (NUM, loss), (NUMS, grad_logp, n_tokens, MUTABLE),
              (NUMS, grad_entropy, n_tokens, MUTABLE | NULLABLE),
              (NUMS, grad_value, n_tokens, MUTABLE | NULLABLE), (OPAQUE, ctx),
              (SLOT, metric, 0, "this, name:cstr, how:u32, value:f64, weight:f64 -> void",
               "a number for the metrics"),
              (NUM, n_tokens), (NUMS, grad_divergence, n_tokens, MUTABLE | NULLABLE))
HONE_DESCRIBE(objective_wants, hone_objective_wants, 0, (SIZE, struct_size), (PAD, reserved),
              (NUM, beta), (NUM, temperature), (NUM, embed_noise))
HONE_DESCRIBE_IFACE(objective, hone_objective_v1, HONE_IFACE_OBJECTIVE, HONE_KIND_OBJECTIVE,
                    (&objective_in, &objective_out, &objective_wants), (SIZE, struct_size),
                    (PAD, reserved), (SLOT, uses, 0, "self -> u32", "HONE_OBJ_*: what it reads"),
                    (SLOT, loss, 0,
                     "self, in:hone_objective_in, out:inout hone_objective_out -> status",
                     "the loss and its gradients"),
                    (SLOT, show, 0, "self -> str", "the formula as text"),
                    (SLOT, wants, OPTIONAL, "self, out:inout hone_objective_wants -> status",
                     "what is to be computed beside log-probs"))
HONE_DESCRIBE(advantage_in, hone_advantage_in, 0, (SIZE, struct_size), (PAD, reserved),
              (NUM, n_seqs), (NUM, n_rewards), (NUM, n_tokens),
              (NUMS2, rewards, n_rewards, n_seqs, 0), (NUMS2, scored, n_rewards, n_seqs, 0),
              (NUMS, weights, n_rewards, 0), (NUMS, group, n_seqs, 0),
              (NUMS, length, n_seqs, NULLABLE), (NUMS, seq_begin, n_seqs, HONE_M_PLUS1 | NULLABLE),
              (NUMS, mask, n_tokens, NULLABLE), (NUMS, value, n_tokens, NULLABLE),
              (NUMS, logp, n_tokens, NULLABLE), (NUMS, ref_logp, n_tokens, NULLABLE),
              (NUMS, baseline, n_seqs, NULLABLE), (NUM, max_length))
HONE_DESCRIBE(advantage_out, hone_advantage_out, 0, (SIZE, struct_size), (NUM, per_token),
              (NUMS, seq, n_seqs, MUTABLE), (NUMS, token, n_tokens, MUTABLE | NULLABLE),
              (NUMS, combined, n_seqs, MUTABLE | NULLABLE),
              (NUMS, left_out, n_seqs, MUTABLE | NULLABLE),
              (NUMS, returns, n_tokens, MUTABLE | NULLABLE), (NUM, n_seqs), (NUM, n_tokens))
HONE_DESCRIBE_IFACE(advantage, hone_advantage_v1, HONE_IFACE_ADVANTAGE, HONE_KIND_OBJECTIVE,
                    (&advantage_in, &advantage_out), (SIZE, struct_size), (NUM, flags),
                    (SLOT, compute, 0,
                     "self, in:hone_advantage_in, out:inout hone_advantage_out -> status",
                     "rewards to advantages"),
                    (SLOT, show, 0, "self -> str", "the formula as text"))

/* ---- ops, sinks, state and the like ------------------------------------------------------------------ */

HONE_DESCRIBE(op, hone_op, HONE_STRUCT_SINK, (SIZE, struct_size), (NUM, flags), (CSTR, name),
              (NUM, attr_size), (PAD, infer), (PAD, fwd), (PAD, bwd), (PAD, cost))
HONE_DESCRIBE_IFACE(ops, hone_ops_v1, HONE_IFACE_OPS, HONE_KIND_OPS, (&op), (SIZE, struct_size),
                    (PAD, reserved),
                    (PAD,
                     ops)) /* a table of functions that work on the core's memory: data, no calls */

HONE_DESCRIBE_IFACE(sink, hone_sink_v1, HONE_IFACE_SINK, HONE_KIND_SINK, (NULL),
                    (SIZE, struct_size), (PAD, reserved),
                    (SLOT, event, 0, "self, kind:str, fields:value -> status",
                     "something happened"),
                    (SLOT, flush, 0, "self -> status", "all that came before is out"))

HONE_DESCRIBE(out_stream, hone_out_stream, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, write, 0, "this, bytes:[u8; n], n:size -> status", "all bytes, or a failure"))
HONE_DESCRIBE(in_stream, hone_in_stream, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx),
              (SLOT, read, 0, "this, bytes:out [u8; n], n:size, got:out size -> status",
               "up to n bytes"))
HONE_DESCRIBE_IFACE(state, hone_state_v1, HONE_IFACE_STATE, NULL, (&out_stream, &in_stream),
                    (SIZE, struct_size), (PAD, reserved),
                    (SLOT, save, 0, "self, out:sink hone_out_stream -> status", "writes the state"),
                    (SLOT, load, 0, "self, in:sink hone_in_stream -> status",
                     "reads it; unchanged on failure"))
HONE_DESCRIBE_IFACE(cancel, hone_cancel_v1, HONE_IFACE_CANCEL, NULL, (NULL), (SIZE, struct_size),
                    (PAD, reserved),
                    (SLOT, cancel, 0, "self, call_id:u64 -> void", "the call is no longer wanted"))
HONE_DESCRIBE_IFACE(live, hone_live_v1, HONE_IFACE_LIVE, NULL, (NULL), (SIZE, struct_size),
                    (PAD, reserved),
                    (SLOT, apply, 0, "self, cfg:config -> status", "live settings changed"))
HONE_DESCRIBE(metric_sink, hone_metric_sink, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx), (SLOT, put, 0, "this, name:str, value:f64 -> void", "one number"))
HONE_DESCRIBE_IFACE(metrics, hone_metrics_v1, HONE_IFACE_METRICS, NULL, (&metric_sink),
                    (SIZE, struct_size), (PAD, reserved),
                    (SLOT, collect, 0, "self, sink:sink hone_metric_sink -> status", "its numbers"))

static const hone_iface_desc *const all[] = {
    &reward,       &judge, &judging,   &tokenizer,   &optimizer, &source, &model,
    &model_scorer, &http,  &objective, &advantage,   &ops,       &sink,   &state,
    &cancel,       &live,  &metrics,   &environment, NULL};

const hone_iface_desc *const *hone_desc_builtins(void)
{
    return all;
}

const hone_iface_desc *hone_desc_builtin(const char *id)
{
    for (size_t i = 0; all[i]; i++)
        if (strcmp(all[i]->id, id) == 0)
            return all[i];
    return NULL;
}
