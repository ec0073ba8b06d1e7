# core/cli: main.c belongs to the program (Makefile.am); one file per verb here
libhone_a_SOURCES += \
	core/cli/args.c \
	core/cli/out.c \
	core/cli/paths.c \
	core/cli/plugin.c \
	core/cli/plugin_list.c \
	core/cli/term.c
libhone_a_SOURCES += core/cli/model.c core/cli/model_adapter.c core/cli/model_convert.c core/cli/model_diff.c core/cli/model_quality.c \
	core/cli/model_run.c
libhone_a_SOURCES += core/cli/bench.c core/cli/trace.c core/cli/bench_kernels.c core/cli/bench_ops.c core/cli/doctor.c
libhone_a_SOURCES += core/cli/template.c core/cli/tokenize.c core/cli/tokenize_compare.c core/cli/tokenize_stream.c \
	core/cli/bench_tokenize.c
libhone_a_SOURCES += core/cli/bench_run.c core/cli/bench_yard.c core/cli/bench_blas.c core/cli/bench_command.c core/cli/bench_flat.c core/cli/bench_scale.c core/cli/bench_watch.c core/cli/bench_all.c core/cli/bench_start.c core/cli/bench_train.c core/cli/bench_generate.c core/cli/bench_judge.c core/cli/bench_grpo.c
libhone_a_SOURCES += core/cli/component.c core/cli/data.c core/cli/data_look.c core/cli/logits.c core/cli/numbers.c core/cli/objective.c core/cli/objective_numbers.c core/cli/score.c
libhone_a_SOURCES += core/cli/run.c
libhone_a_SOURCES += core/cli/env.c core/cli/generate.c
libhone_a_SOURCES += core/cli/eval.c
libhone_a_SOURCES += core/cli/replay.c core/cli/report.c core/cli/runs.c core/cli/watch.c
libhone_a_SOURCES += core/cli/bench_calls.c core/cli/bench_lua.c core/cli/bench_plugins.c core/cli/plugin_replay.c core/cli/plugin_try.c core/cli/score_rows.c core/cli/new.c core/cli/plugin_trust.c core/cli/plugin_quarantine.c
libhone_a_SOURCES += core/cli/validate.c core/cli/validate_child.c core/cli/validate_claims.c core/cli/validate_desk.c core/cli/validate_fence.c core/cli/validate_heap.c \
	core/cli/validate_process.c core/cli/validate_library.c core/cli/validate_instance.c core/cli/validate_reward.c core/cli/validate_environment.c core/cli/validate_judge.c core/cli/validate_optimizer.c \
	core/cli/validate_objective.c core/cli/validate_tokenizer.c core/cli/validate_source.c core/cli/validate_model.c \
	core/cli/validate_args.c core/cli/validate_desc.c core/cli/validate_fuzz.c
libhone_a_SOURCES += core/cli/judge.c core/cli/judge_lint.c core/cli/judge_render.c core/cli/judge_rubric.c
libhone_a_SOURCES += core/cli/judge_attack.c core/cli/judge_draw.c
libhone_a_SOURCES += core/cli/judge_open.c core/cli/judge_rows.c core/cli/judge_run.c core/cli/judge_gate.c
libhone_a_SOURCES += core/cli/judge_calibrate.c core/cli/judge_reliability.c core/cli/judge_report.c core/cli/judge_measure.c
libhone_a_SOURCES += core/cli/judge_label.c core/cli/judge_label_batch.c core/cli/judge_disagree.c core/cli/judge_words.c
libhone_a_SOURCES += core/cli/prompt.c
libhone_a_SOURCES += core/cli/data_step.c core/cli/data_decontaminate.c core/cli/data_dedup.c core/cli/data_filter.c core/cli/data_mix.c core/cli/data_select.c core/cli/data_split.c
