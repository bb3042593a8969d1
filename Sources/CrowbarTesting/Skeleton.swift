enum SkeletonCrowbarTesting {}
