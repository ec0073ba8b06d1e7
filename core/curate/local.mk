# core/curate: sources are added with +=
libhone_a_SOURCES += core/curate/cluster.c core/curate/dedup.c core/curate/input.c core/curate/job.c core/curate/lineage.c \
	core/curate/minhash.c core/curate/pass.c core/curate/scan.c core/curate/sorter.c core/curate/table.c core/curate/words.c
libhone_a_SOURCES += core/curate/filter.c core/curate/ifd.c core/curate/leak.c core/curate/mix.c core/curate/novelty.c core/curate/phrases.c core/curate/quality.c core/curate/quality_measure.c core/curate/select.c core/curate/split.c core/curate/steps.c core/curate/verdicts.c
