# core/nn
libhone_a_SOURCES +=
# files of models
libhone_a_SOURCES += core/nn/choose.c core/nn/dequant.c core/nn/gguf.c core/nn/hf.c core/nn/hf_tokenizer.c \
	core/nn/reader.c core/nn/safetensors.c
