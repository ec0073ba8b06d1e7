# core/train
libhone_a_SOURCES += \
	core/train/arrow_rows.c core/train/arrow_rows.h \
	core/train/checkpoint.c core/train/checkpoint.h \
	core/train/comm.c core/train/comm.h \
	core/train/desk.c core/train/desk.h core/train/desk_private.h \
	core/train/desk_models.c core/train/desk_serve.c \
	core/train/episodes.c core/train/episodes_call.c core/train/episodes.h core/train/episodes_private.h \
	core/train/estimates.c core/train/estimates.h \
	core/train/hidden.c core/train/hidden.h \
	core/train/metrics.c core/train/metrics.h \
	core/train/opt_groups.c core/train/opt_state.c core/train/opt_state.h \
	core/train/objective_sum.c core/train/objective_sum.h \
	core/train/optimizer.c core/train/optimizer.h \
	core/train/policy.c core/train/policy.h \
	core/train/rollout.c core/train/rollout.h \
	core/train/replay.c core/train/replay.h \
	core/train/rollout_spread.c core/train/rollout_write.c \
	core/train/schedule.c core/train/schedule.h \
	core/train/source.c core/train/source.h core/train/source_private.h \
	core/train/stages.c \
	core/train/stats.c core/train/stats.h \
	core/train/teacher.c core/train/teacher.h \
	core/train/topk.c core/train/topk.h \
	core/train/update.c core/train/update.h \
	core/train/values.c core/train/values.h
