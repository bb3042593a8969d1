enum SkeletonCrowbarCore {}
