enum SkeletonPluginHost {}
