# voom and limma-trend of the pseudobulks in the folder given: effects, standard errors, p-values, degrees of freedom.
suppressMessages(library(limma))
folder <- commandArgs(TRUE)[1]
counts <- as.matrix(read.table(file.path(folder, "counts.txt")))
samples <- read.table(file.path(folder, "samples.txt"), header = TRUE)
condition <- factor(samples$condition)
design <- if (max(samples$replicate) >= 0) {
  model.matrix(~ condition + factor(samples$replicate))
} else {
  model.matrix(~condition)
}
report <- function(fit, name) {
  contrasts <- grep("^condition", colnames(design))
  error <- fit$stdev.unscaled * sqrt(fit$s2.post)
  tables <- list(effect = fit$coefficients, standard_error = error, p_value = fit$p.value)
  for (column in names(tables)) {
    values <- format(tables[[column]][, contrasts, drop = FALSE], digits = 17)
    path <- file.path(folder, paste0(name, "_", column, ".txt"))
    write.table(values, path, row.names = FALSE, col.names = FALSE, quote = FALSE)
  }
  cat(format(fit$df.total[1], digits = 17), "\n", file = file.path(folder, paste0(name, "_freedom.txt")))
}
weighted <- voom(counts, design, lib.size = samples$total)
report(eBayes(lmFit(weighted, design)), "voom")
report(eBayes(lmFit(weighted$E, design), trend = TRUE), "trend")
