# core/judge: sources are added with +=
