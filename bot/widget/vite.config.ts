// One script without dependencies, the same bytes from the same sources wherever it is built.
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    lib: { entry: "src/main.ts", formats: ["iife"], name: "Chargeline", fileName: () => "chargeline-chat.js" },
    outDir: "dist",
    reportCompressedSize: false,
    cssMinify: "lightningcss",
    minify: true,
  },
  logLevel: "warn",
});
